"""Table columns whose names of experiments lead to the pages of their runs."""

from typing import Any

import pandas as pd
import streamlit as st

from web.tables.run_names import LINK_TEXT, common_prefix, run_links


def with_run_links(table: pd.DataFrame, column: str, *, is_short: bool = False) -> pd.DataFrame:
    """Return a table whose names in a column are links, for a column of run_column.

    Args:
        table: the table.
        column: names, NAME or NAME@2 with a version. Missing ones stay missing.
        is_short: whether the texts leave out the common prefix of the names, for a narrow column.

    """
    texts = list(map(str, table[column].dropna().unique()))
    names = [text.partition("@")[0] for text in texts]
    start = len(common_prefix(names)) if is_short else 0
    links = {}
    for text, name in zip(texts, names, strict=True):
        [links[text]] = run_links([name], {name: text[start:]})
    return table.assign(**{column: table[column].map(links)})


def run_column(title: str, width: int | None = None) -> Any:
    """Return the display of such a column, which shows the names."""
    return st.column_config.LinkColumn(
        title, width=width, display_text=LINK_TEXT, help="Opens the page of the run."
    )

"""Table columns whose names of experiments lead to the pages of their runs."""

from typing import Any

import pandas as pd
import streamlit as st

from web.tables.run_names import LINK_TEXT, run_links, shorten_names


def with_run_links(table: pd.DataFrame, column: str, *, is_short: bool = False) -> pd.DataFrame:
    """Return a table whose names in a column are links, for a column of run_column.

    Args:
        table: the table.
        column: names, NAME or NAME@2 with a version. Missing ones stay missing.
        is_short: whether the texts are short names, for a narrow column.

    """
    texts = list(map(str, table[column].dropna().unique()))
    short = shorten_names(texts) if is_short else {}
    links = {}
    for text in texts:
        name = text.partition("@")[0]
        [links[text]] = run_links([name], {name: short.get(text, text)})
    return table.assign(**{column: table[column].map(links)})


def run_column(title: str, width: int | None = None) -> Any:
    """Return the display of such a column, which shows the names."""
    return st.column_config.LinkColumn(
        title, width=width, display_text=LINK_TEXT, help="Opens the page of the run."
    )

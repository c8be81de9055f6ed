"""Table columns whose names of experiments lead to the pages of their runs."""

from typing import Any

import pandas as pd
import streamlit as st

from web.tables.run_names import LINK_TEXT, run_links


def with_run_links(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return a table whose names in a column are links, for a column of run_column.

    Args:
        table: the table.
        column: names, NAME or NAME@2 with a version. Missing ones stay missing.

    """
    links = {}
    for text in map(str, table[column].dropna().unique()):
        name = text.partition("@")[0]
        [links[text]] = run_links([name], {name: text})
    return table.assign(**{column: table[column].map(links)})


def run_column(title: str, width: int | None = None) -> Any:
    """Return the display of such a column, which shows the names."""
    return st.column_config.LinkColumn(
        title, width=width, display_text=LINK_TEXT, help="Opens the page of the run."
    )

"""Code to copy on the Run page."""

import streamlit as st

from web.data.tracking.types import Run
from web.sources import Sources
from web.tables.tracking import snippets


def show_code(sources: Sources, run: Run) -> None:
    """Show how to read the run from a program."""
    url = sources.settings.public_api_url
    code = {
        "Python": ("python", snippets.python(url, run.name)),
        "MLflow": ("python", snippets.mlflow(url, run.run_id)),
        "curl": ("bash", snippets.curl(url, run.name)),
        "SQL": ("sql", snippets.sql(run.name)),
    }
    for tab, (language, text) in zip(st.tabs(list(code)), code.values(), strict=True):
        tab.code(text, language=language, wrap_lines=True)

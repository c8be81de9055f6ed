"""Code to copy on the Run page."""

import streamlit as st

from web.data.tracking.types import Run
from web.sources import Sources
from web.tables.tracking import snippets


@st.fragment
def show_code(sources: Sources, run: Run) -> None:
    """Show how to read the run from a program, once it is opened.

    The script that colors code takes the browser a quarter of a second to start.
    """
    expander = st.expander(
        "Read this run with Python, MLflow, curl or SQL",
        key=f"code-{run.id}",
        on_change="rerun",
        icon=":material/code:",
    )
    if not expander.open:
        return
    url = sources.settings.public_api_url
    code = {
        "Python": ("python", snippets.python(url, run.name)),
        "MLflow": ("python", snippets.mlflow(url, run.run_id)),
        "curl": ("bash", snippets.curl(url, run.name)),
        "SQL": ("sql", snippets.sql(run.name)),
    }
    tabs = expander.tabs(list(code))
    for tab, (language, text) in zip(tabs, code.values(), strict=True):
        tab.code(text, language=language, wrap_lines=True)

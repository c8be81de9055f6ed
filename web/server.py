"""ASGI application of the dashboard: `python -m streamlit run web/server.py`.

Run it from the project root. The bare command `streamlit` does not find the package web.
"""

import asyncio
import importlib
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from streamlit import config, file_util

import web.views
from web.serving.index_page import make_addition
from web.serving.middleware import StaticFilesMiddleware
from web.serving.static_files import StaticFiles

# Modules of Streamlit that the pages load for their first data.
FRAME = ("PageLink", "remark-emoji")
PICKER = ("NumberInput", "Multiselect", "ButtonGroup")
CHART, TABLE = "EChartsChart", "DataFrame"
MODULES = {
    "/": (*FRAME, *PICKER, "TextInput", "Selectbox", TABLE),
    "/compare": (*FRAME, *PICKER, "Slider", CHART, TABLE),
    "/predict": (*FRAME, *PICKER, "BidiComponent"),
    "/run": (*FRAME, "Selectbox", "Slider", "ButtonGroup", CHART, "Button", "TextInput", TABLE),
}

HERE = Path(__file__).parent

_files = StaticFiles(Path(file_util.get_static_dir()))


@asynccontextmanager
async def _prepare(_app: st.App) -> AsyncIterator[None]:
    """Prepare the first page view in the background."""
    task = asyncio.create_task(asyncio.to_thread(_load))
    yield
    await task


def _load() -> None:
    """Import the pages, and compress the files that they need."""
    for view in pkgutil.iter_modules(web.views.__path__):
        importlib.import_module(f"web.views.{view.name}.page")
    for name in (*_files.initial_names(), *_files.modules(chain(*MODULES.values()))):
        _files.read(name)


def _base_path() -> str:
    """Return the path below which the dashboard is, empty by default."""
    path = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""


app = st.App(
    "app.py",
    lifespan=_prepare,
    middleware=[
        Middleware(
            StaticFilesMiddleware,
            files=_files,
            preloads=MODULES,
            addition=make_addition(HERE / "style.css", HERE / "backend.js", HERE / "history.js"),
            base_path=_base_path(),
        )
    ],
)

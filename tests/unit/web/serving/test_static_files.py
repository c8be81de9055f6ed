"""Compressed static files."""

import gzip
from pathlib import Path

import pytest

from web.serving.static_files import StaticFiles

INDEX = """<link href="./static/media/a.woff2" rel="preload">
<script type="module" src="./static/js/index.1a.js"></script>
<link rel="modulepreload" href="./static/js/shared.2b.js"><link href="./static/css/index.3c.css">"""
SCRIPTS = {
    "index.1a.js": 'import{a}from"./shared.2b.js";const load=()=>import("./Chart.4d.js")',
    "shared.2b.js": "export const a=1",
    "Chart.4d.js": 'import{a}from"./shared.2b.js";import"./axis.5e.js";from"./absent.js"',
    "axis.5e.js": 'import {b} from "./scale.6f.js";export{c}from"./Chart.4d.js"',
    "scale.6f.js": "export const b=2",
    "ChartPicker.7a.js": "0",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "secret.js").write_text("outside of static/")
    for name in ("js", "css", "media"):
        (tmp_path / "static" / name).mkdir(parents=True)
    for name, text in SCRIPTS.items():
        (tmp_path / "static/js" / name).write_text(text)
    (tmp_path / "static/css/index.3c.css").write_text("a{}")
    (tmp_path / "static/media/a.woff2").write_bytes(b"font")
    return tmp_path


def test_file_is_compressed_once_with_its_type(folder: Path) -> None:
    files = StaticFiles(folder)
    assert files.cached("static/js/index.1a.js") is None
    found = files.read("static/js/index.1a.js")
    assert gzip.decompress(found.body).decode() == SCRIPTS["index.1a.js"]
    assert found.media_type == "text/javascript; charset=utf-8"
    assert files.cached("static/js/index.1a.js") is files.read("static/js/index.1a.js") is found


@pytest.mark.parametrize(
    "name",
    ["static/media/a.woff2", "index.html", "secret.js", "static/../secret.js", "static/js/x.js"],
)
def test_other_paths_are_not_files(folder: Path, name: str) -> None:
    files = StaticFiles(folder)
    assert name not in files
    with pytest.raises(KeyError):
        files.read(name)


def test_initial_names_are_those_of_index_html(folder: Path) -> None:
    assert StaticFiles(folder).initial_names() == [
        "static/js/index.1a.js",
        "static/js/shared.2b.js",
        "static/css/index.3c.css",
    ]


def test_modules_have_all_their_imports_first(folder: Path) -> None:
    names = StaticFiles(folder).modules(["Chart", "Absent"])
    assert names == [f"static/js/{name}" for name in ("scale.6f.js", "axis.5e.js", "Chart.4d.js")]

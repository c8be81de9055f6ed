"""Static files of Streamlit in memory, compressed once.

Streamlit sends its scripts without compression, because it would compress them for each request.
Their names have a digest, so here each file is compressed at its first use and kept. Other
responses are not compressed here: a compressed response that has a secret and the input of a
request may reveal the secret (BREACH).
"""

import gzip
import mimetypes
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

COMPRESSED_SUFFIXES = frozenset({".css", ".js", ".json", ".svg"})
# Higher levels take twice the time and save 1 %.
LEVEL = 6
# As Streamlit does for these files.
CACHE_CONTROL = "public, immutable, max-age=31536000"
INDEX = "index.html"
FOLDER = "static/"

# A module and the modules that it imports at its start: from"./a.js", import"./a.js"
_STATIC_IMPORT = re.compile(r"""(?:from|import)\s*["']\./([\w.-]+\.js)["']""")
_REFERENCE = re.compile(r'(?:src|href)="\./(static/[^"]+)"')
_SCRIPTS = "static/js/"


@dataclass(frozen=True)
class StaticFile:
    """A file as it is sent.

    Attributes:
        body: its bytes, compressed with gzip.
        media_type: value of Content-Type.

    """

    body: bytes
    media_type: str


class StaticFiles:
    """Compressed files of a folder by path, such as static/js/index.js. Thread-safe.

    Args:
        folder: the folder with index.html, which does not change while the server runs.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = {
            path.relative_to(folder).as_posix()
            for path in (folder / FOLDER).rglob("*")
            if path.suffix in COMPRESSED_SUFFIXES and path.is_file()
        }
        self._files: dict[str, StaticFile] = {}

    def __contains__(self, name: object) -> bool:
        """Return whether a path names a file that can be compressed."""
        return name in self._names

    def cached(self, name: str) -> StaticFile | None:
        """Return a file that is compressed already."""
        return self._files.get(name)

    def read(self, name: str) -> StaticFile:
        """Return a file, and compress it at the first call.

        Raises:
            KeyError: the name is not one of the files.
            OSError: the file cannot be read.

        """
        if name not in self._names:
            raise KeyError(name)
        found = self._files.get(name)
        if found is None:
            path = self._folder / name
            media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            is_text = media_type.startswith("text/")
            found = StaticFile(
                gzip.compress(path.read_bytes(), LEVEL, mtime=0),
                f"{media_type}; charset=utf-8" if is_text else media_type,
            )
            self._files[name] = found
        return found

    @property
    def index(self) -> bytes:
        """The page that loads the scripts."""
        return (self._folder / INDEX).read_bytes()

    def initial_names(self) -> list[str]:
        """Return the files that index.html refers to, in its order."""
        text = self._text(INDEX)
        return [name for name in dict.fromkeys(_REFERENCE.findall(text)) if name in self._names]

    def modules(self, names: Iterable[str]) -> list[str]:
        """Return modules with all that they import and index.html does not have, importers last.

        Args:
            names: start of the file name, such as EChartsChart. Unknown ones are left out.

        """
        found = dict.fromkeys(self.initial_names())
        first = len(found)
        for name in names:
            for path in sorted(self._names):
                if path.startswith(f"{_SCRIPTS}{name}.") and path.endswith(".js"):
                    self._add_imports(path, found)
        return list(found)[first:]

    def _add_imports(self, path: str, found: dict[str, None]) -> None:
        stack, seen = [path], dict.fromkeys([path])
        while stack:
            for other in _STATIC_IMPORT.findall(self._text(stack.pop())):
                child = f"{_SCRIPTS}{other}"
                if child in self._names and child not in found and child not in seen:
                    seen[child] = None
                    stack.append(child)
        for one in reversed(seen):
            found.setdefault(one)

    def _text(self, name: str) -> str:
        return (self._folder / name).read_text("utf-8", "replace")

"""Where the files of each model and version lie in a model directory, and whether they changed.

Reads names and stats alone.

    NAME.keras    NAME/model.keras    NAME/3/model.keras       (the latter two with model.tflite and
    card.json beside it)

The files directly in NAME/ and a loose file are version 1; NAME/1/ wins over the files in NAME/,
and those over the loose file.
"""

import contextlib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE
from inference.models.version import FIRST_VERSION

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
VERSION_PATTERN = re.compile(r"[1-9][0-9]{0,8}")
LOOSE_SUFFIX = ".keras"
FILES = frozenset({KERAS_FILE, LITERT_FILE, CARD_FILE})

Signature = tuple[tuple[str, int, int, int, int], ...]


@dataclass(frozen=True)
class ModelFiles:
    """The files of a version: those in the directory `path`, or the loose Keras file `path`.

    `signature` holds name, size, mtime, ctime (both in ns) and inode of each, and `changed_at` is
    the last ctime (Unix time, s): unlike the mtime, nothing that copies can set that back.
    """

    path: Path
    is_loose: bool
    signature: Signature
    changed_at: float

    @property
    def keras_file(self) -> Path:
        """Where its Keras file is, if it has one."""
        return self.path if self.is_loose else self.path / KERAS_FILE

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each of its files in bytes, by name."""
        return {name: size for name, size, *_ in self.signature}


def names(root: Path) -> set[str]:
    """Return the name of everything that may be a model; some may turn out to be none.

    Raises OSError.
    """
    with os.scandir(root) as entries:
        return {
            entry.name.removesuffix(LOOSE_SUFFIX)
            for entry in entries
            if not entry.name.startswith(".")
        }


def name_of(root: Path, changed: str) -> str | None:
    """Return the name of the model to which a changed path below `root` belongs, or None when it is
    hidden or `root` itself.
    """
    parts = Path(os.path.relpath(changed, root)).parts
    return (
        None
        if not parts or any(part.startswith(".") for part in parts)
        else parts[0].removesuffix(LOOSE_SUFFIX)
    )


def places(
    root: Path, only: Collection[str] | None = None
) -> tuple[dict[tuple[str, int], ModelFiles], list[str]]:
    """Return where each version of these models lies, or of all, and what a person should know of
    what is not served.

    Raises OSError when `root` cannot be read: that says nothing of the models.
    """
    found: dict[tuple[str, int], ModelFiles] = {}
    messages = []
    root.stat()
    for name in names(root) if only is None else only:
        numbered, ignored = versions(root, name)
        if NAME_PATTERN.fullmatch(name):
            messages += [
                f"Ignored {path}: another place of the same name and version is served."
                for path in ignored
            ]
            found |= {(name, version): place for version, place in numbered.items()}
        elif numbered:
            messages.append(
                f"Ignored {name!r} in the model directory: a name is 1 to 128 of A-Z a-z 0-9 _ . -"
            )
    return found, messages


def versions(root: Path, name: str) -> tuple[dict[int, ModelFiles], list[Path]]:
    """Return the place of each version of a model, and the files that are not served since another
    place wins.
    """
    found: dict[int, ModelFiles] = {}
    ignored: list[Path] = []
    path = os.path.join(root, name)  # noqa: PTH118  # a look at all models costs half with strings
    top, numbered = _directory(path)
    places = [(FIRST_VERSION, _loose(path + LOOSE_SUFFIX)), (FIRST_VERSION, top)]
    places += [(int(version), _directory(os.path.join(path, version))[0]) for version in numbered]  # noqa: PTH118
    for version, place in places:
        if place is not None:
            if version in found:
                ignored.append(found[version].path)
            found[version] = place
    return found, ignored


def directory(path: Path) -> ModelFiles | None:
    """Return the place that a directory is, or None where it holds none of a model's files."""
    return _directory(str(path))[0]


def _loose(path: str) -> ModelFiles | None:
    try:
        return _place(path, [(os.path.basename(path), os.stat(path))], is_loose=True)  # noqa: PTH116, PTH119
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(path, error, is_loose=True)


def _directory(path: str) -> tuple[ModelFiles | None, list[str]]:
    """Return the place that a directory is, if it is one, and the names of the versions below it."""
    stats, numbered = [], []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name in FILES:
                    with contextlib.suppress(
                        FileNotFoundError
                    ):  # it went in this moment; of a link to nowhere, the link
                        is_there = os.path.exists(entry.path)  # noqa: PTH110
                        stats.append((entry.name, entry.stat(follow_symlinks=is_there)))
                elif VERSION_PATTERN.fullmatch(entry.name) and entry.is_dir():
                    numbered.append(entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return None, []
    except OSError as error:
        return _unreadable(path, error, is_loose=False), []
    return (_place(path, stats, is_loose=False) if stats else None), numbered


def _place(path: str, stats: list[tuple[str, os.stat_result]], *, is_loose: bool) -> ModelFiles:
    signature = tuple(
        sorted(
            (name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
            for name, stat in stats
        )
    )
    return ModelFiles(Path(path), is_loose, signature, max(stat.st_ctime for _, stat in stats))


def _unreadable(path: str, error: OSError, *, is_loose: bool) -> ModelFiles:
    """Return a place that is there and cannot be looked into: that is for a person to see."""
    return ModelFiles(Path(path), is_loose, ((path, 0, 0, 0, error.errno or 0),), 0.0)

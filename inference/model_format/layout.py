"""Model directory layout: finds the files of every version and detects changes by stat.

    NAME.keras    NAME/model.keras    NAME/3/model.keras

The latter two may have model.tflite and card.json beside model.keras. Files directly in NAME/ and
a loose NAME.keras are version 1. NAME/1/ takes precedence over NAME/, and NAME/ over NAME.keras.
Symbolic links below the model directory are not followed. A link, or a file of another format, is a
version that cannot be served: its problem says what to do.
"""

import contextlib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE
from inference.model_format.misplaced import find_problem, is_note

FIRST_VERSION = 1
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
VERSION_PATTERN = re.compile(r"[1-9][0-9]{0,8}")
LOOSE_SUFFIX = ".keras"
FILES = frozenset({KERAS_FILE, LITERT_FILE, CARD_FILE})

Fingerprint = tuple[tuple[str, int, int, int, int], ...]


@dataclass(frozen=True)
class ModelFiles:
    """Files of one version: those in the directory `path`, or the loose Keras file `path`.

    `fingerprint` holds name, size, mtime and ctime (both in ns) and inode of each file.
    `changed_at` is the last ctime (Unix time, s): unlike the mtime, a copy cannot set it back.
    `problem` says why these are not the files of a model.
    """

    path: Path
    is_loose: bool
    fingerprint: Fingerprint
    changed_at: float
    problem: str | None = None

    @property
    def keras_file(self) -> Path:
        """Path of the Keras file, which need not exist."""
        return self.path if self.is_loose else self.path / KERAS_FILE

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each file in bytes, by name."""
        return {name: size for name, size, *_ in self.fingerprint}


def model_names(root: Path) -> set[str]:
    """Return the name of every entry that may be a model. Raises OSError."""
    with os.scandir(root) as entries:
        return {
            entry.name.removesuffix(LOOSE_SUFFIX)
            for entry in entries
            if not entry.name.startswith(".")
        }


def model_name(root: Path, changed: str) -> str | None:
    """Return the name of the model that a changed path below `root` belongs to.

    Return None for `root` itself and for hidden paths.
    """
    parts = Path(os.path.relpath(changed, root)).parts
    return (
        None
        if not parts or any(part.startswith(".") for part in parts)
        else parts[0].removesuffix(LOOSE_SUFFIX)
    )


def find_models(
    root: Path, only: Collection[str] | None = None
) -> tuple[dict[tuple[str, int], ModelFiles], list[str]]:
    """Return the files of each version, by name and version, and messages about ignored files.

    `only` limits the search to these names. Raises OSError when `root` cannot be read, which says
    nothing about the models.
    """
    found: dict[tuple[str, int], ModelFiles] = {}
    messages = []
    root.stat()
    for name in model_names(root) if only is None else only:
        numbered, ignored = find_versions(root, name)
        if NAME_PATTERN.fullmatch(name):
            messages += [
                f"Ignored {path}: another path provides the same name and version."
                for path in ignored
            ]
            found |= {(name, version): files for version, files in numbered.items()}
        elif numbered:
            messages.append(
                f"Ignored {name!r} in the model directory: a name is 1 to 128 of A-Z a-z 0-9 _ . -"
            )
        if not numbered and not is_note(name) and (root / name).is_file():
            messages.append(f"Ignored {name!r} in the model directory: it is not a model.")
    return found, messages


def find_versions(root: Path, name: str) -> tuple[dict[int, ModelFiles], list[Path]]:
    """Return the files of each version of a model, and paths that another path overrides."""
    found: dict[int, ModelFiles] = {}
    ignored: list[Path] = []
    path = os.path.join(root, name)  # noqa: PTH118  # strings halve the time of a full scan
    top, numbered = _scan_directory(path)
    candidates = [(FIRST_VERSION, _find_loose(path + LOOSE_SUFFIX)), (FIRST_VERSION, top)]
    for version in numbered:
        version_path = os.path.join(path, version)  # noqa: PTH118
        files, _ = _scan_directory(version_path)
        candidates.append((int(version), files or _find_misplaced(version_path)))
    for number, candidate in candidates:
        if candidate is not None:
            if number in found:
                ignored.append(found[number].path)
            found[number] = candidate
    if not found and (misplaced := _find_misplaced(path)) is not None:
        found[FIRST_VERSION] = misplaced
    return found, ignored


def find_files(directory: Path) -> ModelFiles | None:
    """Return the model files in a directory, or None when it holds none."""
    return _scan_directory(str(directory))[0]


def _find_loose(path: str) -> ModelFiles | None:
    try:
        return _files(path, [(os.path.basename(path), os.lstat(path))], is_loose=True)  # noqa: PTH119
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(path, error, is_loose=True)


def _find_misplaced(path: str) -> ModelFiles | None:
    """Return the entry of a link or a file of another format, so that its problem is visible."""
    problem = find_problem(path, FILES)
    if problem is None:
        return None
    with contextlib.suppress(FileNotFoundError):
        files = _files(path, [(os.path.basename(path), os.lstat(path))], is_loose=True)  # noqa: PTH119
        return replace(files, problem=problem)
    return None


def _scan_directory(path: str) -> tuple[ModelFiles | None, list[str]]:
    """Return the model files directly in a directory and the names of its version directories."""
    stats, numbered = [], []
    if os.path.islink(path):  # noqa: PTH114
        return None, []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name in FILES:
                    with contextlib.suppress(FileNotFoundError):  # it may disappear meanwhile
                        stats.append((entry.name, entry.stat(follow_symlinks=False)))
                elif VERSION_PATTERN.fullmatch(entry.name) and entry.is_dir():
                    numbered.append(entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return None, []
    except OSError as error:
        return _unreadable(path, error, is_loose=False), []
    return (_files(path, stats, is_loose=False) if stats else None), numbered


def _files(path: str, stats: list[tuple[str, os.stat_result]], *, is_loose: bool) -> ModelFiles:
    fingerprint = tuple(
        sorted(
            (name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
            for name, stat in stats
        )
    )
    return ModelFiles(Path(path), is_loose, fingerprint, max(stat.st_ctime for _, stat in stats))


def _unreadable(path: str, error: OSError, *, is_loose: bool) -> ModelFiles:
    """Return an entry for an unreadable path, so that the failure becomes visible."""
    return ModelFiles(Path(path), is_loose, ((path, 0, 0, 0, error.errno or 0),), 0.0)

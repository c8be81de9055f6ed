"""Trees: packs, unpacks and swaps the files of the journal or of the originals.

    python trees.py pack journal|images DIR    write a tar stream of the files to stdout
    python trees.py unpack DIR                 read such a stream into DIR/.restoring
    python trees.py swap DIR                   put DIR/.restoring in place of the other files
    python trees.py undo DIR                   undo `swap`, which keeps them in DIR/.replaced
    python trees.py finish DIR                 delete DIR/.restoring and DIR/.replaced
    python trees.py count journal|images DIR   print the number of files

With compose it runs in a container of the service, which reads it from stdin or `-c`. So it uses
only the standard library and no other module.
"""

import io
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

RESTORING, REPLACED = ".restoring", ".replaced"
# Files of a backup, by kind. The journal's other files follow from the database or from these. With
# the shipped offsets, a record that is in no dump would not be shipped again.
PATTERNS = {
    "journal": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.jsonl|refused\.log"),
    "images": re.compile(r"[0-9a-f]{2}/[0-9a-f]{2,128}\.[a-z0-9]{1,8}"),
}
BUFFER_BYTES = 2**20


def find(kind: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the names and paths of the files of a kind. Files may vanish meanwhile."""
    for path in sorted(folder.glob("*" if kind == "journal" else "*/*")):
        name = path.relative_to(folder).as_posix()
        if PATTERNS[kind].fullmatch(name) and path.is_file() and not path.is_symlink():
            yield name, path


def pack(kind: str, folder: Path, output: IO[bytes]) -> None:
    """Write the files to a tar stream. A running service may append to a file or delete it.

    A file of the journal ends with its last complete record.
    """
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name, path in find(kind, folder):
            try:
                file = path.open("rb")
            except FileNotFoundError:  # shipped or expired
                continue
            with file:
                content = file.read()  # before its size: the service may shorten it
            if kind == "journal":
                content = content[: content.rfind(b"\n") + 1]
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def unpack(folder: Path, stream: IO[bytes]) -> None:
    """Read a tar stream into DIR/.restoring. Its names have been checked."""
    restoring = folder / RESTORING
    shutil.rmtree(restoring, ignore_errors=True)
    restoring.mkdir(parents=True)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for entry in archive:
            content = archive.extractfile(entry)
            if content is None or not any(
                pattern.fullmatch(entry.name) for pattern in PATTERNS.values()
            ):
                raise ValueError(f"unexpected entry {entry.name!r}")
            path = restoring / entry.name
            path.parent.mkdir(exist_ok=True)
            with path.open("xb") as file:
                shutil.copyfileobj(content, file, BUFFER_BYTES)
            path.chmod(0o600)


def swap(folder: Path) -> None:
    """Put the files of DIR/.restoring in place, and the present ones in DIR/.replaced."""
    shutil.rmtree(folder / REPLACED, ignore_errors=True)
    (folder / REPLACED).mkdir()
    for path in list(folder.iterdir()):
        if path.name not in (RESTORING, REPLACED):
            path.rename(folder / REPLACED / path.name)
    for path in list((folder / RESTORING).iterdir()):
        path.rename(folder / path.name)


def undo(folder: Path) -> None:
    """Undo `swap`, as far as it came."""
    if not (folder / REPLACED).is_dir():
        return
    for path in list(folder.iterdir()):
        if path.name not in (RESTORING, REPLACED):
            path.rename(folder / RESTORING / path.name)
    for path in list((folder / REPLACED).iterdir()):
        path.rename(folder / path.name)


def finish(folder: Path) -> None:
    """Delete what `unpack` and `swap` have left beside the files."""
    for name in (RESTORING, REPLACED):
        shutil.rmtree(folder / name, ignore_errors=True)


def main(arguments: Sequence[str]) -> None:
    """Run a command of the module's docstring."""
    command, *rest = arguments
    folder = Path(rest[-1])
    if command == "pack":
        pack(rest[0], folder, sys.stdout.buffer)
    elif command == "count":
        print(sum(1 for _ in find(rest[0], folder)))
    elif command == "unpack":
        unpack(folder, sys.stdin.buffer)
    else:
        {"swap": swap, "undo": undo, "finish": finish}[command](folder)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Backup: writes the journal, a dump of the database and the originals to one file.

The service may run. The order makes the backup complete: a record of the journal is in Postgres
before the shipper deletes it, so the journal is read before the database. An original is stored
before its row names it, so the originals are read after the database. The same holds for the
datasets and models of the learning loop. Records that are in both are shipped again after a
restore, which adds nothing.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, cast

from local.backup.archive import DUMP, BackupError, BackupWriter
from local.backup.deployment import DATABASE, Deployment, failure
from local.console import print_line

MIGRATIONS = "SELECT migration_id FROM _yoyo_migration ORDER BY 1"


def create(deployment: Deployment, path: Path) -> None:
    """Write a backup to a file that does not exist yet. Raises BackupError."""
    writer = BackupWriter(path)
    try:
        with deployment.running_database(exclusively=False):
            started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            segments = _add_tree(deployment, writer, "journal")
            _add_dump(deployment, writer, path.parent)
            objects = (
                _add_tree(deployment, writer, "images") if deployment.images_url is not None else 0
            )
            properties = {
                "created_at": started,
                "postgres": deployment.sql(DATABASE, "SHOW server_version"),
                "migrations": deployment.sql(DATABASE, MIGRATIONS).split(),
                "images_url": deployment.images_url,
                "models": model_digests(deployment.models),
            }
        size = writer.close(properties)
    except OSError as error:
        raise BackupError(f"Cannot write {path}: {error.strerror}.") from error
    finally:
        writer.discard()
    print_line(
        f"{path}: database, {segments} journal files, {objects} stored objects, {size / 1e6:.1f} MB"
    )
    if deployment.images_url is None:
        print_line("IMAGES_URL is object storage, which is not in the backup. See doc/backup.md.")


def model_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a model directory, by its path in it.

    Hidden files belong to programs, such as the mirror of a model registry.
    """
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            digests[path.relative_to(folder).as_posix()] = digest
    return digests


def _add_dump(deployment: Deployment, writer: BackupWriter, folder: Path) -> None:
    """Add a dump, by way of a temporary file, because a tar member's size comes first."""
    with tempfile.TemporaryFile(dir=folder) as file:
        command = deployment.postgres("pg_dump", "--format=custom", DATABASE)
        _run(deployment, command, file)
        size = file.seek(0, 2)
        file.seek(0)
        writer.add(DUMP, file, size)


def _add_tree(deployment: Deployment, writer: BackupWriter, kind: str) -> int:
    with tempfile.TemporaryFile() as errors:
        command = deployment.trees("pack", kind, kind)
        with subprocess.Popen(
            command,
            cwd=deployment.root,
            env=dict(deployment.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as child:
            stdout = cast("IO[bytes]", child.stdout)
            try:
                count = writer.add_tree(kind, stdout)
                stdout.read()
            except Exception as error:
                child.kill()
                child.wait()
                raise failure(command, _content(errors)) from error
        if child.returncode:
            raise failure(command, _content(errors))
    return count


def _run(deployment: Deployment, command: list[str], output: IO[bytes]) -> None:
    done = subprocess.run(
        command,
        cwd=deployment.root,
        env=dict(deployment.environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise failure(command, done.stderr)


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()

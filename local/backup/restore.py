"""Restore: brings the content of a backup into an empty stack, or in place of a stack's content.

All or nothing: the backup is verified first. The database is restored under another name and the
files beside the present ones. Only when all of this has succeeded, they are put in place.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from local.backup.archive import BackupError, BackupReader
from local.backup.create import model_digests
from local.backup.deployment import DATABASE, Deployment, failure
from local.console import print_line

RESTORING, REPLACED = f"{DATABASE}_restoring", f"{DATABASE}_replaced"
COUNT_TABLES = """
SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
"""
# A backup of an older version lacks some of the columns.
MOVE_URLS = """
DO $$
DECLARE
    place record;
    old text := {old} || '/';
    new text := {new} || '/';
BEGIN
    FOR place IN SELECT table_name, column_name, data_type FROM information_schema.columns
        WHERE table_schema = 'public' AND (table_name, column_name) IN (
            ('images', 'original_url'), ('datasets', 'url'), ('uploads', 'url'),
            ('trainings', 'artifact_url'), ('evaluations', 'predictions_url'),
            ('pipeline_steps', 'outputs'))
    LOOP
        IF place.data_type = 'jsonb' THEN
            EXECUTE format(
                'UPDATE %1$I SET %2$I = replace(%2$I::text, $1, $2)::jsonb'
                ' WHERE strpos(%2$I::text, $1) > 0', place.table_name, place.column_name)
                USING '"' || old, '"' || new;
        ELSE
            EXECUTE format(
                'UPDATE %1$I SET %2$I = $2 || substr(%2$I, length($1) + 1)'
                ' WHERE starts_with(%2$I, $1)', place.table_name, place.column_name)
                USING old, new;
        END IF;
    END LOOP;
END $$
"""
MAX_NAMED = 5


def restore(deployment: Deployment, path: Path, *, replaces: bool) -> None:
    """Restore a backup. Raises BackupError; then nothing has changed.

    With `replaces`, the present database, journal and originals are deleted.
    """
    backup = BackupReader(path)
    _check_migrations(backup, deployment)
    kinds = ["journal", "images"] if deployment.images_url is not None else ["journal"]
    with deployment.running_database(exclusively=True):
        if not replaces:
            _check_empty(deployment, kinds)
        try:
            deployment.run(deployment.create_roles())
            _restore_database(deployment, backup)
            for kind in kinds:
                _feed(
                    deployment,
                    deployment.trees("unpack", kind),
                    functools.partial(backup.copy_tree, kind),
                )
            _put_in_place(deployment, kinds)
        except BaseException as error:
            _undo(deployment, kinds, error)
            raise
        for kind in kinds:
            deployment.run(deployment.trees("finish", kind))
        _drop(deployment, REPLACED)
    print_line(f"Restored the backup of {backup.manifest['created_at']}. Start the stack again.")
    _report_models(backup, deployment)


def _check_migrations(backup: BackupReader, deployment: Deployment) -> None:
    known = {path.stem for path in (deployment.root / "db" / "migrations").glob("*.sql")}
    unknown = sorted(set(backup.manifest.get("migrations", ())) - known)
    if unknown:
        raise BackupError(
            f"The backup is of a newer version: it has the migration {unknown[-1]}."
            " Nothing was changed. Restore it with that version."
        )


def _check_empty(deployment: Deployment, kinds: list[str]) -> None:
    is_empty = deployment.sql(DATABASE, COUNT_TABLES) == "0" and all(
        deployment.run(deployment.trees("count", kind, kind)) == "0" for kind in kinds
    )
    if not is_empty:
        raise BackupError(
            "The database, the journal or the originals are not empty. Nothing was changed."
            " REPLACE=1 deletes their content, or restore into another LOCAL_DIR."
        )


def _restore_database(deployment: Deployment, backup: BackupReader) -> None:
    for database in (RESTORING, REPLACED):  # of a restore that was killed
        _drop(deployment, database)
    deployment.sql("postgres", f"CREATE DATABASE {RESTORING} TEMPLATE template0")
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "-d", RESTORING]
    _feed(deployment, deployment.postgres("pg_restore", *options), backup.copy_dump)
    old, new = backup.manifest.get("images_url"), deployment.images_url
    if old and new and old != new:
        quoted = {"old": _quote(old), "new": _quote(new)}
        deployment.sql(RESTORING, MOVE_URLS.format(**quoted))
    deployment.sql(RESTORING, "ANALYZE")


def _put_in_place(deployment: Deployment, kinds: list[str]) -> None:
    for kind in kinds:
        deployment.run(deployment.trees("swap", kind))
    deployment.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname IN ('{DATABASE}', '{RESTORING}')",
        f"ALTER DATABASE {DATABASE} RENAME TO {REPLACED}",
        f"ALTER DATABASE {RESTORING} RENAME TO {DATABASE}",
    )


def _undo(deployment: Deployment, kinds: list[str], reason: BaseException) -> None:
    """Put the present files back, and drop what was restored. Raises BackupError."""
    try:
        for step in ("undo", "finish"):
            for kind in kinds:
                deployment.run(deployment.trees(step, kind))
        _drop(deployment, RESTORING)
    except BackupError as error:
        raise BackupError(
            f"{reason}\nThe previous state could not be put back: {error}\n"
            "Its files are in the folders .replaced of the journal and of the originals."
        ) from reason


def _feed(deployment: Deployment, command: list[str], write: Callable[[IO[bytes]], object]) -> None:
    """Run a command and write its input."""
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
            command,
            cwd=deployment.root,
            env=dict(deployment.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        ) as child:
            try:
                write(cast("IO[bytes]", child.stdin))
            except BrokenPipeError:  # the command failed, and its message follows
                pass
            except BaseException:
                child.kill()
                raise
        errors.seek(0)
        if child.returncode:
            raise failure(command, errors.read())


def _report_models(backup: BackupReader, deployment: Deployment) -> None:
    """Tell which models of the backup are missing here, because a backup has only their digests."""
    present = model_digests(deployment.models)
    differing = [
        name
        for name, digest in backup.manifest.get("models", {}).items()
        if present.get(name) != digest
    ]
    if differing:
        more = ", ..." if len(differing) > MAX_NAMED else ""
        print_line(
            f"{len(differing)} model files differ from those of the backup or are missing:"
            f" {', '.join(differing[:MAX_NAMED])}{more}. Copy them to {deployment.models}."
        )


def _drop(deployment: Deployment, database: str) -> None:
    deployment.sql("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

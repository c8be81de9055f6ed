"""Fingerprints of applied migrations, to detect a migration that was edited after it was applied.

An edit changes only databases that are set up later. The others lack it without any error.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import psycopg2.extensions

RECORD = """
INSERT INTO migration_fingerprints (migration, sha256)
SELECT migration_id, f.sha256
FROM _yoyo_migration JOIN unnest(%s, %s) AS f (migration, sha256) ON f.migration = migration_id
ON CONFLICT DO NOTHING
"""


class EditedMigrationError(Exception):
    """The file of an applied migration was edited. The message names it and the remedy."""


def read_fingerprints(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each migration's text by name. Line ends do not count."""
    return {
        file.stem: hashlib.sha256(file.read_text().encode()).hexdigest()
        for file in folder.glob("*.sql")
    }


def check(cursor: psycopg2.extensions.cursor, fingerprints: Mapping[str, str]) -> None:
    """Compare the files with the texts that were applied, in a database that recorded them.

    Raises:
        EditedMigrationError: a text differs.
    """
    cursor.execute("SELECT to_regclass('migration_fingerprints')")
    if cursor.fetchone() == (None,):
        return
    cursor.execute("SELECT migration, sha256 FROM migration_fingerprints ORDER BY migration")
    edited = [name for name, sha256 in cursor if fingerprints.get(name, sha256) != sha256]
    if edited:
        files = ", ".join(f"db/migrations/{name}.sql" for name in edited)
        raise EditedMigrationError(
            f"{files} was edited after it was applied to this database. "
            "Restore its text, and put the change into a new migration."
        )


def record(cursor: psycopg2.extensions.cursor, fingerprints: Mapping[str, str]) -> None:
    """Store the fingerprints of applied migrations that have none yet."""
    cursor.execute(RECORD, [list(fingerprints), list(fingerprints.values())])

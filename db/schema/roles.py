"""Roles: creates the four roles with their limits, settings and passwords.

Roles belong to the server, so no dump of a database has them. Every set-up creates them before the
migrations, and `python -m db.initialize roles` before a dump is restored into an empty server.
"""

from pathlib import Path

import psycopg2
import psycopg2.extensions
from psycopg2 import sql

from db.settings import Settings

ROLES = Path(__file__).with_name("roles.sql")


def create_roles(connection: psycopg2.extensions.connection, settings: Settings) -> None:
    """Create the missing roles and reset the limits, settings and passwords, in one transaction.

    Raises:
        psycopg2.errors.InternalError_: another database's set-up changes the roles right now.
        psycopg2.errors.UniqueViolation: likewise, while both create a role.
        psycopg2.Error: the role of the connection may not create roles.
    """
    passwords = {
        "mlops_app": settings.app_password,
        "mlops_read": settings.read_password,
        "mlops_web": settings.web_password,
        "mlops_pipeline": settings.pipeline_password,
    }
    with connection, connection.cursor() as cursor:
        cursor.execute(ROLES.read_text())
        for role, password in passwords.items():
            # Hashed here: the server may log the statement.
            verifier = psycopg2.extensions.encrypt_password(
                password, role, connection, "scram-sha-256"
            )
            cursor.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(verifier)
                )
            )

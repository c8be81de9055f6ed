"""Deployments that are backed up: the stack of `make up`, and that of compose.

A deployment is a set of commands: programs of Postgres, and `trees.py` beside the files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from local.backup.archive import BackupError

ROOT = Path(__file__).resolve().parents[2]
TREES = Path(__file__).with_name("trees.py").read_text()
DATABASE, OWNER = "mlopsdb", "postgres"
WRITERS = {"inference", "web", "pipeline", "db-setup"}  # services of compose, to the database


class Deployment(ABC):
    """Commands and places of one stack."""

    root: Path = ROOT
    # URL of the directory of the originals as in images.original_url, None for object storage
    images_url: str | None
    models: Path
    environment: Mapping[str, str]

    @abstractmethod
    def is_running(self) -> bool:
        """Return whether the service runs, which writes to the database and the files."""

    @abstractmethod
    @contextmanager
    def running_database(self, *, exclusively: bool) -> Iterator[None]:
        """Run Postgres inside the context, and with `exclusively` nothing else.

        Raises BackupError.
        """
        yield

    @abstractmethod
    def postgres(self, program: str, *arguments: str) -> list[str]:
        """Return the command of a program of Postgres, connected as the owner."""

    @abstractmethod
    def trees(self, *arguments: str) -> list[str]:
        """Return the command of trees.py. Its last argument is the kind, in place of DIR."""

    @abstractmethod
    def create_roles(self) -> list[str]:
        """Return the command that creates the roles of the server."""

    def run(self, command: list[str], **options: Any) -> str:
        """Run a command and return its output. Raises BackupError with its last error."""
        try:
            done = subprocess.run(
                command,
                cwd=self.root,
                env=dict(self.environment),
                stdin=options.pop("stdin", subprocess.DEVNULL),
                capture_output=True,
                check=False,
                **options,
            )
        except OSError as error:
            raise BackupError(f"Cannot run {command[0]}: {error.strerror}.") from error
        if done.returncode:
            raise failure(command, done.stderr)
        return str(done.stdout.decode()).strip()

    def sql(self, database: str, *statements: str) -> str:
        """Run statements in one transaction and return their rows, values separated by `|`."""
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database]
        if len(statements) > 1:
            options.append("-1")
        for statement in statements:
            options += ["-c", statement]
        return self.run(self.postgres("psql", *options))


def failure(command: list[str], errors: bytes) -> BackupError:
    """Return the error of a command that failed."""
    program = next((Path(part).name for part in command if "pg_" in part or "psql" in part), "")
    text = errors.decode(errors="replace").strip()
    return BackupError(f"{program or Path(command[0]).name} failed: {text or 'no message'}")


class LocalDeployment(Deployment):
    """Stack of `make up` in LOCAL_DIR."""

    def __init__(self) -> None:
        """Read the settings. Raises InvalidSettingError."""
        # Compose needs none of these, and has no virtual environment.
        from local import settings  # noqa: PLC0415

        self.settings = settings.read(os.environ)
        owner = self.settings.libpq_variables(OWNER, self.settings.owner_password)
        self.environment = {
            **settings.inherited_environment(),
            **owner,
            "MLOPS_APP_PASSWORD": self.settings.app_password,
            "MLOPS_READ_PASSWORD": self.settings.read_password,
            "MLOPS_WEB_PASSWORD": self.settings.web_password,
            "MLOPS_PIPELINE_PASSWORD": self.settings.pipeline_password,
        }
        directory = self.settings.directory
        images = os.environ.get("IMAGES_URL") or str(directory / "images")
        self._folders = {
            "journal": self.root / (os.environ.get("JOURNAL_DIR") or directory / "journal"),
        }
        if "://" not in images or images.startswith("file://"):
            path = unquote(urlsplit(images).path) if "://" in images else images
            self._folders["images"] = (self.root / path).absolute()
        folder = self._folders.get("images")
        self.images_url = folder.as_uri() if folder is not None else None
        self.models = self.root / (os.environ.get("MODELS_DIR") or "models")

    def is_running(self) -> bool:
        """See Deployment."""
        from local.process import find_recorded_process  # noqa: PLC0415

        run_files = self.settings.directory / "run"
        return find_recorded_process(run_files / "supervisor.json") is not None

    @contextmanager
    def running_database(self, *, exclusively: bool) -> Iterator[None]:
        """See Deployment. A Postgres that is not running is started for the context."""
        from local.account import AccountMissingError  # noqa: PLC0415
        from local.postgres import Postgres, StartError  # noqa: PLC0415
        from local.supervisor import StartRefusedError, stack_lock  # noqa: PLC0415

        if not exclusively and not (self.settings.directory / "pgdata").exists():
            raise BackupError(f"{self.settings.directory} has no database. Set LOCAL_DIR.")
        if self.is_running() and not exclusively:
            self._check_server()
            yield
            return
        try:
            with stack_lock(self.settings.directory):
                server = Postgres(self.settings)
                try:
                    server.open()
                    yield
                finally:
                    server.stop(timeout_seconds=30)
        except (StartError, StartRefusedError, AccountMissingError) as error:
            raise BackupError(str(error)) from error

    def postgres(self, program: str, *arguments: str) -> list[str]:
        """See Deployment."""
        from local.postgres import binary_folder  # noqa: PLC0415

        return [str(binary_folder() / program), *arguments]

    def trees(self, *arguments: str) -> list[str]:
        """See Deployment."""
        *command, kind = arguments
        return [sys.executable, "-c", TREES, *command, str(self._folders[kind])]

    def create_roles(self) -> list[str]:
        """See Deployment."""
        return [sys.executable, "-m", "db.initialize", "roles"]

    def _check_server(self) -> None:
        """Raise BackupError if another stack's Postgres has the port."""
        data = self.sql(DATABASE, "SHOW data_directory")
        expected = self.settings.directory / "pgdata"
        if not Path(data).exists() or not expected.samefile(data):
            raise BackupError(
                f"Postgres on port {self.settings.db_port} belongs to {data}, not to {expected}."
                " Set LOCAL_DIR and DB_PORT as for `make up`."
            )


class ComposeDeployment(Deployment):
    """Stack of docker-compose.yml, with the settings of `.env`."""

    def __init__(self) -> None:
        """Read the configuration. Raises BackupError."""
        self.environment = os.environ
        config = json.loads(self.run(["docker", "compose", "config", "--format", "json"]))
        service = config["services"]["inference"]
        images = service["environment"]["IMAGES_URL"]
        is_local = "://" not in images or images.startswith("file://")
        self._folders = {"journal": "/journal"}
        if is_local:
            self._folders["images"] = images.removeprefix("file://")
        self.images_url = f"file://{self._folders['images']}" if is_local else None
        self.models = next(
            Path(volume["source"]) for volume in service["volumes"] if volume["target"] == "/models"
        )

    def is_running(self) -> bool:
        """See Deployment."""
        services = self.run(["docker", "compose", "ps", "--services", "--status", "running"])
        return not WRITERS.isdisjoint(services.split())

    @contextmanager
    def running_database(self, *, exclusively: bool) -> Iterator[None]:
        """See Deployment. A Postgres that is not running is started and left running."""
        if exclusively and self.is_running():
            raise BackupError(
                "The stack is running. Stop it: docker compose stop inference web pipeline"
            )
        self.run(["docker", "compose", "up", "-d", "--wait", "db"])
        yield

    def postgres(self, program: str, *arguments: str) -> list[str]:
        """See Deployment."""
        return ["docker", "compose", "exec", "-T", "db", program, "-U", OWNER, *arguments]

    def trees(self, *arguments: str) -> list[str]:
        """See Deployment."""
        *command, kind = arguments
        run = ["docker", "compose", "run", "--rm", "--no-deps", "-T", "inference"]
        return [*run, "python", "-c", TREES, *command, self._folders[kind]]

    def create_roles(self) -> list[str]:
        """See Deployment."""
        run = ["docker", "compose", "run", "--rm", "--no-deps", "-T", "db-setup"]
        return [*run, "python", "-m", "db.initialize", "roles"]

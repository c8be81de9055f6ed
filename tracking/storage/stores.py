"""Stores of the tracking process, built together."""

from dataclasses import dataclass

from tracking.storage.artifacts import Artifacts
from tracking.storage.database import Database
from tracking.storage.projects import Projects
from tracking.storage.runs import Runs


@dataclass(frozen=True)
class Stores:
    """Everything that the routes need."""

    database: Database
    runs: Runs
    projects: Projects
    artifacts: Artifacts

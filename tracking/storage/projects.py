"""Projects: groups of runs, which MLflow calls experiments."""

from collections.abc import Mapping, Sequence

from tracking.runs import NOTHING, Condition, Order, Project, ProjectChange
from tracking.storage.database import Database


class Projects:
    """Projects of the database. Each method is one transaction. Thread-safe.

    Every method raises UnavailableError while Postgres does not answer.
    """

    def __init__(self, database: Database, default_task: str) -> None:
        """`default_task` is the task of a project whose name is not a task."""
        self._database, self._default_task = database, default_task

    def create(self, name: str, tags: Mapping[str, str] = NOTHING) -> Project:
        """Create a project. Raises NameTakenError, InvalidError."""
        raise NotImplementedError

    def get(self, project_id: int) -> Project:
        """Return a project, also a deleted one. Raises UnknownProjectError."""
        raise NotImplementedError

    def get_by_name(self, name: str) -> Project:
        """Return a project, also a deleted one. Raises UnknownProjectError."""
        raise NotImplementedError

    def get_or_create(self, name: str) -> Project:
        """Return the project of this name, created if there is none. Raises InvalidError."""
        raise NotImplementedError

    def search(
        self,
        conditions: Sequence[Condition] = (),
        order_by: Sequence[Order] = (),
        limit: int = 1000,
        offset: int = 0,
        *,
        deleted: bool | None = False,
    ) -> list[Project]:
        """Return projects, the latest first. `deleted` None returns both kinds.

        Attributes are `id`, `name`, `created_at` and `changed_at`. Raises InvalidError.
        """
        raise NotImplementedError

    def update(self, project_id: int, change: ProjectChange) -> Project:
        """Change a project and return it. Raises UnknownProjectError, NameTakenError."""
        raise NotImplementedError

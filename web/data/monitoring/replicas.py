"""Replicas of the inference service, and how many of them serve each model version."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from web.formatting import escape_markdown

MAX_NAMED = 10  # versions that the replicas do not all serve

Key = tuple[str, int, str | None]  # name, version and digest

LIVE = text("SELECT count(*) FROM live_replicas")
SERVED = text("""
    SELECT s.experiment_name, s.version, m.digest, s.replicas
    FROM served s JOIN model_versions m ON m.id = s.model_version_id
    ORDER BY s.experiment_name, s.version, m.digest
""")


@dataclass(frozen=True)
class Served:
    """Model versions of the live replicas.

    Attributes:
        live: number of replicas that were seen within a minute.
        replicas: number of replicas that serve each version.

    """

    live: int = 0
    replicas: Mapping[Key, int] = field(default_factory=dict)

    @property
    def has_several(self) -> bool:
        """Whether there are several live replicas: a single one is not mentioned."""
        return self.live > 1

    @property
    def differing(self) -> dict[Key, int]:
        """Versions that some replicas serve and others do not, with the number that do."""
        return {key: count for key, count in self.replicas.items() if 0 < count < self.live}

    def describe(self, name: str, version: int, digest: str | None) -> str | None:
        """Return by how many replicas a version is served, None with a single replica."""
        if not self.has_several:
            return None
        return f"{self.replicas.get((name, version, digest), 0)} of {self.live} replicas"

    def summarize(self) -> tuple[str, str]:
        """Return a short text about several replicas, and its details as Markdown."""
        differing = [
            f"{count} of {self.live} replicas serve {escape_markdown(name)} v{version}"
            for (name, version, _), count in self.differing.items()
        ]
        if not differing:
            return f"{self.live} replicas", "All replicas serve the same models."
        more = len(differing) - MAX_NAMED
        details = differing[:MAX_NAMED] + ([f"{more} more differ"] if more > 0 else [])
        text = differing[0] if len(differing) == 1 else f"{self.live} replicas differ"
        return text, "\n\n".join(f"{line}." for line in details)


def read_served(connection: Connection) -> Served:
    """Read which versions the replicas serve. Raises SQLAlchemyError."""
    rows = connection.execute(SERVED).all()
    replicas = {(name, version, digest): count for name, version, digest, count in rows}
    return Served(int(connection.execute(LIVE).scalar_one()), replicas)

"""Past runs, as another tool kept them. Data only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class ImportRunsError(Exception):
    """The source cannot be read. The message says why and what to do."""


@dataclass(frozen=True)
class PastRun:
    """A run of another tool.

    `metrics` has the points (step, time in ms since 1970, value) of each metric under its own name,
    in any order. Values may be NaN. `project` is the experiment of MLflow, "" without one. `tags`
    has the tags that a person or script has set, and `note` is in Markdown.
    """

    name: str
    run_id: str
    params: Mapping[str, str]
    metrics: Mapping[str, Sequence[tuple[int, int, float]]]
    project: str = ""
    started_ms: int | None = None
    ended_ms: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    notes: Sequence[str] = field(default=())

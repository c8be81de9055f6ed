"""Entries of a run: metrics, parameters and tags of MLflow's requests, as the storage takes them.

Three tags are fields of a run here: its name, note and user.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracking.errors import InvalidError
from tracking.mlflow.documents import NAME_TAG, NOTE_TAG, USER_TAG
from tracking.mlflow.fields import Fields
from tracking.runs import MAX_NOTE, MAX_PARAM_VALUE, MAX_TAG_VALUE, Entries, Point


@dataclass(frozen=True)
class Tags:
    """Tags of a request: those that are stored as tags, and those that are fields of a run."""

    stored: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    note: str | None = None

    @property
    def user(self) -> str | None:
        """The user that MLflow's client adds as a tag."""
        return self.stored.get(USER_TAG)


def read_point(fields: Fields) -> Point:
    """Return a point of log-metric, or of a list of metrics. Raises InvalidError."""
    logged_at = fields.integer("timestamp")
    if logged_at is None:
        raise InvalidError("The field timestamp is missing. Send milliseconds since 1970.")
    return Point(
        metric=fields.required_text("key"),
        step=fields.integer("step") or 0,
        logged_at=logged_at,
        value=fields.number("value"),
    )


def read_params(items: list[Fields]) -> dict[str, str]:
    """Return parameters by key. Like MLflow, a longer value is cut. Raises InvalidError."""
    params: dict[str, str] = {}
    for item in items:
        key, value = item.required_text("key"), (item.text("value") or "")[:MAX_PARAM_VALUE]
        if params.setdefault(key, value) != value:
            raise InvalidError(f"The request has two values of the parameter {key}. Send one.")
    return params


def read_tags(items: list[Fields]) -> Tags:
    """Return tags. Like MLflow, a longer value is cut. Raises InvalidError."""
    tags = {item.required_text("key"): item.text("value") or "" for item in items}
    name, note = tags.pop(NAME_TAG, None), tags.pop(NOTE_TAG, None)
    stored = {key: value[:MAX_TAG_VALUE] for key, value in tags.items()}
    return Tags(stored, name or None, None if note is None else note[:MAX_NOTE])


def read_batch(fields: Fields) -> tuple[Entries, Tags]:
    """Return the entries of log-batch, and its tags. Raises InvalidError."""
    tags = read_tags(fields.objects("tags"))
    points = [read_point(item) for item in fields.objects("metrics")]
    return Entries(points, read_params(fields.objects("params")), tags.stored), tags

"""Types of the inference API: models, versions, aliases, predictions, labels and errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


class ApiUnreachableError(Exception):
    """No response from the API: connection refused, timed out or broken off."""


class ApiProblemError(Exception):
    """Error response of the API.

    Attributes:
        status: HTTP status.
        title, detail: plain text of the response.

    """

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.status = status
        self.title = title
        self.detail = detail

    @property
    def is_about_the_image(self) -> bool:
        """Whether every model would reject the image: too large, not an image, or unusable."""
        return self.status in (413, 415, 422)


@dataclass(frozen=True)
class Model:
    """Default version of a served model.

    Attributes:
        name: name of the model and of its experiment.
        state: READY, LOADING or FAILED.
        reason: why it failed, else None.
        digest: digest of its files, None while unknown.
        task: task of the model. Only models of one task are comparable.
        classes: class labels.

    """

    name: str
    state: str
    reason: str | None
    digest: str | None
    task: str
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelVersion:
    """One version of a model.

    Attributes:
        name, version, state, reason, digest, task: as in Model.
        is_default: whether requests without a version use it.
        aliases: aliases that point to it.
        classes: class labels in the order of the output.
        input_spec: height, width, scale, offset, invert, fit, transpose, channels and layout.
        output: probabilities or logits.
        bytes: size of the LiteRT model, None while unknown.
        memory_bytes: memory that one process uses for it now, 0 if it is not loaded.
        test_accuracy: 0 to 1, from its card.
        parity: images, max_abs_difference and equal_argmax of the comparison with Keras, None
            without a comparison.
        update: state, digest and reason of newer files that are not served (yet), else None.
        probe: accuracy, digits, best, sentence, passed and warning: how many digits with known
            labels it reads. None until it is ready.

    """

    name: str
    version: int
    state: str
    reason: str | None
    digest: str | None
    task: str
    is_default: bool
    aliases: tuple[str, ...]
    classes: tuple[str, ...]
    input_spec: Mapping[str, Any]
    output: str
    bytes: int | None
    memory_bytes: int
    test_accuracy: float | None
    parity: Mapping[str, Any] | None
    update: Mapping[str, Any] | None
    probe: Mapping[str, Any] | None = None

    @property
    def short_name(self) -> str:
        """Shortest name for a request: NAME for the default version, else NAME@2."""
        return self.name if self.is_default else self.pinned_name

    @property
    def pinned_name(self) -> str:
        """Name for a request that always means this version: NAME@2."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class AliasMove:
    """One move of an alias.

    Attributes:
        at: time of the move, with time zone.
        experiment, version: the new target.
        from_experiment, from_version: the previous target, None for the first move.
        moved_by, reason: who moved it and why.
        event_id: number of the move.

    """

    at: datetime
    experiment: str
    version: int
    from_experiment: str | None
    from_version: int | None
    moved_by: str
    reason: str
    event_id: int = 0


@dataclass(frozen=True)
class Alias:
    """Alias of a task, such as champion.

    Attributes:
        task, alias: its task and its name.
        experiment, version: its target.
        serving: state of the target, NO_MODEL without a model.
        moves: its history, newest first.
        rollback_target: name and version that a rollback leads to, None without one.

    """

    task: str
    alias: str
    experiment: str
    version: int
    serving: str
    moves: tuple[AliasMove, ...]
    rollback_target: tuple[str, int] | None


DRAINING = "draining"


@dataclass(frozen=True)
class Registry:
    """Mirror of the model registry.

    Attributes:
        status: ok, starting, partial or failing.
        detail: what is missing, refused or wrong, None if nothing is.
        versions: number of versions that come from the registry.
        refused: number of versions that are not served as they are in the registry.

    """

    status: str
    detail: str | None
    versions: int
    refused: int


@dataclass(frozen=True)
class Readiness:
    """Content of /readyz.

    Attributes:
        status: ready, degraded, starting or draining.
        ready, loading, failed: number of models in each state.
        database_detail: why the API has no database, None if it has one.
        log_fault: state of a prediction log that does not reach the database: waiting, full or
            failing. None while it does, and for no log.
        log_detail: the reason, None if the API gives none.
        keys_detail: what is wrong with the file of API keys, None if nothing is.
        registry: state of the model registry, None if the service has none.

    """

    status: str
    ready: int
    loading: int
    failed: int
    database_detail: str | None
    log_fault: str | None = None
    log_detail: str | None = None
    keys_detail: str | None = None
    registry: Registry | None = None


@dataclass(frozen=True)
class Prediction:
    """Prediction of one model for one image.

    Attributes:
        label: predicted label.
        confidence: probability of this label, 0 to 1.
        probabilities: label -> probability, 0 to 1.
        prediction_id: id under which the API stores it, None if it stores none.

    """

    label: str
    confidence: float
    probabilities: Mapping[str, float]
    prediction_id: str | None = None


@dataclass(frozen=True)
class Answer:
    """Answer of one model to one image: a prediction or a problem."""

    experiment: str
    prediction: Prediction | None = None
    problem: ApiProblemError | None = None


class Answers(list[Answer]):
    """Answers of all models to one image.

    Attributes:
        view: PNG of the 28x28 model input, None unless requested.
        warnings: reasons not to trust the answers, see image_warnings. Empty for a usual image.

    """

    view: bytes | None = None
    warnings: tuple[str, ...] = ()


# Result for one image: the answers, or the problem of the image itself.
ImageResult = Answers | list[Answer] | ApiProblemError


def warnings_of(result: ImageResult) -> tuple[str, ...]:
    """Return the warnings of an image, empty without answers."""
    return result.warnings if isinstance(result, Answers) else ()


@dataclass(frozen=True)
class Label:
    """Label of an image: its value, its author and its time with time zone."""

    label: str
    labelled_by: str
    labelled_at: datetime

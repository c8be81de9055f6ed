"""Model version: an immutable record of one version's identity, state and network."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from inference import ids
from inference.errors import ModelFailedError, ModelNotReadyError
from inference.model_format.card import (
    DIGITS,
    MNIST_INPUT,
    PROBABILITIES,
    Card,
    InputSpec,
    Parity,
)
from inference.model_format.layout import FIRST_VERSION
from inference.model_format.robustness import Robustness
from inference.models.residency import ArtifactChangedError, ResidentModel
from inference.probe.report import ProbeReport
from inference.runtime.network import Network


class State(StrEnum):
    """State of a model version."""

    READY = "READY"
    LOADING = "LOADING"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Update:
    """Newer content of a version, not served yet: LOADING, or FAILED with a reason.

    `digest` may be unknown.
    """

    state: State
    digest: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model and its state.

    `reason` is set if and only if it is FAILED, and `resident` if and only if it is READY.
    `digest` is the sha256 (hex) of model.keras, or of model.tflite when there is no Keras file.
    `bytes` is the size of the LiteRT model. `test_accuracy` (0 to 1) comes from the card. `update`
    describes newer content of the same version. `card` is None until one was read, and `probe`
    until the model is READY.
    """

    name: str
    state: State
    version: int = FIRST_VERSION
    reason: str | None = None
    digest: str | None = None
    task: str = "mnist"
    classes: tuple[str, ...] = DIGITS
    input: InputSpec = MNIST_INPUT
    output: str = PROBABILITIES
    bytes: int | None = None
    parity: Parity | None = None
    test_accuracy: float | None = None
    update: Update | None = None
    card: Card | None = field(default=None, repr=False, compare=False)
    probe: ProbeReport | None = field(default=None, repr=False, compare=False)
    robustness: Robustness | None = field(default=None, repr=False, compare=False)
    resident: ResidentModel | None = field(default=None, repr=False, compare=False)
    # Scans the files of this version and returns its current record.
    reload: Callable[["ModelVersion"], "ModelVersion"] | None = field(
        default=None, repr=False, compare=False
    )

    @classmethod
    def from_card(
        cls, name: str, version: int, digest: str, size: int, card: Card
    ) -> "ModelVersion":
        """Return the LOADING model that a card describes.

        `size` is that of the LiteRT model in bytes.
        """
        return cls(
            name,
            State.LOADING,
            version,
            digest=digest,
            task=card.task,
            classes=card.classes,
            input=card.input,
            output=card.output,
            bytes=size,
            parity=card.parity,
            test_accuracy=card.test_accuracy,
            card=card,
        )

    @functools.cached_property
    def id(self) -> str:
        """Identifier in the database: equal for equal name, version, content and signature."""
        signature = (self.task, self.classes, self.input.document(), self.output)
        return ids.of_content([self.name, self.version, self.digest, *signature])

    @property
    def is_loaded(self) -> bool:
        """Whether the network is in memory now. It is loaded again when needed."""
        return self.resident is not None and self.resident.is_loaded

    @property
    def memory_bytes(self) -> int:
        """Estimated memory use of the network now, in bytes."""
        return 0 if self.resident is None else self.resident.bytes

    def network(self) -> Network:
        """Return the network, loaded again if it was evicted. Any thread may call this.

        Raises ModelFailedError and ModelNotReadyError. The latter also occurs while other content
        replaces an evicted network, a case that `resolve` handles.
        """
        if self.resident is None:
            raise ModelNotReadyError if self.state is State.LOADING else ModelFailedError
        try:
            return self.resident.network()
        except ArtifactChangedError:
            model, network = self.resolve()
            if model.digest != self.digest:
                raise ModelNotReadyError(
                    "The model is being replaced. Send the request again."
                ) from None
            return network

    def resolve(self) -> tuple["ModelVersion", Network]:
        """Return this version and its network, or its replacement if its content is gone.

        Raises ModelNotReadyError, ModelFailedError and UnknownExperimentError.
        """
        if self.resident is None or self.reload is None:
            return self, self.network()
        try:
            return self, self.resident.network()
        except ArtifactChangedError:
            model = self.reload(self)
            return model, model.network()

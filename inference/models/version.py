"""One version of a model: what it is, what it can do now, and its network.

An immutable record; what may change is behind it.
"""

import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from inference import ids
from inference.errors import ModelFailedError, ModelNotReadyError
from inference.model_format.card import (
    DIGITS,
    MNIST_INPUT,
    PROBABILITIES,
    Card,
    InputContract,
    Parity,
)
from inference.models.residency import ArtifactChangedError, ResidentModel
from inference.runtime.network import Network

FIRST_VERSION = 1


class State(StrEnum):
    """What a model can do now."""

    READY = "READY"
    LOADING = "LOADING"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Update:
    """A newer content of a version that does not serve (yet).

    It is LOADING, or FAILED for a reason. `digest` may be unknown.
    """

    state: State
    digest: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model and its state.

    `reason` is set exactly when it is FAILED, `resident` exactly when it is READY.

    `digest` is that of model.keras, or of model.tflite where there is no other; `bytes` the size of
    the LiteRT model; `test_accuracy` (0 to 1) what its card says; `update` what became of a newer
    content of the same version; `card` is None until one was read.
    """

    name: str
    state: State
    version: int = FIRST_VERSION
    reason: str | None = None
    digest: str | None = None
    task: str = "mnist"
    classes: tuple[str, ...] = DIGITS
    input: InputContract = MNIST_INPUT
    output: str = PROBABILITIES
    bytes: int | None = None
    parity: Parity | None = None
    test_accuracy: float | None = None
    update: Update | None = None
    card: Card | None = field(default=None, repr=False, compare=False)
    resident: ResidentModel | None = field(default=None, repr=False, compare=False)
    # Looks at the files of this version at once and returns the model that they are now.
    renewed: Callable[["ModelVersion"], "ModelVersion"] | None = field(
        default=None, repr=False, compare=False
    )

    @classmethod
    def of_card(cls, name: str, version: int, digest: str, size: int, card: Card) -> "ModelVersion":
        """Return the model that a card describes, LOADING.

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
        """Of its row in the database.

        The same for the same content under the same name, version and contract.
        """
        contract = (self.task, self.classes, asdict(self.input), self.output)
        return ids.of_content([self.name, self.version, self.digest, *contract])

    @property
    def loaded(self) -> bool:
        """Whether its network is in memory now; it is read again when it is needed."""
        return self.resident is not None and self.resident.is_loaded

    @property
    def memory_bytes(self) -> int:
        """About how much memory its network takes now."""
        return 0 if self.resident is None else self.resident.bytes

    def network(self) -> Network:
        """Return its network, read again where it was dropped. Any thread may call this.

        Raises ModelNotReadyError and ModelFailedError, the first also in the moment in which another content
        takes its place and nothing is left of this one; `serving` has an answer even then.
        """
        if self.resident is None:
            raise ModelNotReadyError if self.state is State.LOADING else ModelFailedError
        try:
            return self.resident.network()
        except ArtifactChangedError:
            model, network = self.serving()
            if model.digest != self.digest:
                raise ModelNotReadyError(
                    "The model was replaced in this moment; ask again."
                ) from None
            return network

    def serving(self) -> tuple["ModelVersion", Network]:
        """Return what answers for this version and its network.

        Itself, or what took its place where nothing is left of it.

        Raises ModelNotReadyError, ModelFailedError and UnknownExperimentError.
        """
        if self.resident is None or self.renewed is None:
            return self, self.network()
        try:
            return self, self.resident.network()
        except ArtifactChangedError:
            model = self.renewed(self)
            return model, model.network()

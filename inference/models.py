"""The model directory -> models that answer. Owns their states; knows nothing of HTTP.

A model is served from its model.tflite when its card.json confirms the digests of that file and of model.keras; otherwise
from what the compiler makes of model.keras. A model that cannot be served is FAILED with its reason, and the others serve on.
"""

import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from inference.card import (
    CARD_FILE,
    DIGITS,
    KERAS_FILE,
    LITERT_FILE,
    MNIST_INPUT,
    Card,
    InputContract,
    Parity,
    UnusableCard,
    file_record,
)
from inference.compile import CompilationFailed, Compiler
from inference.engine import Network, UnservableModel
from inference.errors import ModelFailed, ModelNotReady, UnknownExperiment

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
FIRST_VERSION = 1

logger = logging.getLogger(__name__)


class State(StrEnum):
    """What a model can do now."""

    READY = "READY"
    LOADING = "LOADING"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Model:
    """A model and its state. `network` is set exactly when it is READY, `reason` exactly when it is FAILED."""

    name: str
    state: State
    version: int = FIRST_VERSION
    reason: str | None = None
    digest: str | None = None
    classes: tuple[str, ...] = DIGITS
    input: InputContract = MNIST_INPUT
    bytes: int | None = None
    parity: Parity | None = None
    network: Network | None = None


class ModelDirectory:
    """The models below a directory, by name: `NAME/model.keras` with its artefacts, or a loose `NAME.keras`."""

    def __init__(self, directory: Path, compiled_dir: Path) -> None:
        self._directory = directory
        self._compiled_dir = compiled_dir
        self._models: dict[str, Model] = {}
        self._closing = threading.Event()
        self._compiler = Compiler()
        self._compiling: threading.Thread | None = None

    def load(self) -> None:
        """Load what can be served as it is, and compile the rest in a thread of its own: those are LOADING meanwhile."""
        uncompiled = []
        for name, path in self._candidates():
            model = self._load(name, path)
            self._models[name] = model
            if model.state is State.LOADING:
                uncompiled.append((name, path))
        if uncompiled:
            self._compiling = threading.Thread(target=self._compile, args=[uncompiled], name="compile", daemon=True)
            self._compiling.start()

    def close(self) -> None:
        """Stop compiling."""
        self._closing.set()
        self._compiler.stop()
        if self._compiling is not None:
            self._compiling.join()

    def all(self) -> list[Model]:
        """Return every model, by name."""
        return [self._models[name] for name in sorted(self._models)]

    def find(self, name: str) -> Model:
        """Return a model in whatever state. Raises UnknownExperiment."""
        try:
            return self._models[name]
        except KeyError:
            raise UnknownExperiment from None

    def ready(self, name: str) -> tuple[Model, Network]:
        """Return a model that answers, and its network. Raises UnknownExperiment, ModelNotReady or ModelFailed."""
        model = self.find(name)
        if model.network is None:
            raise ModelNotReady if model.state is State.LOADING else ModelFailed
        return model, model.network

    def _candidates(self) -> Iterator[tuple[str, Path]]:
        """Yield the name of each model with its directory, or with its file when it is a loose one."""
        if not self._directory.is_dir():
            logger.error("The model directory %s does not exist: no model is served.", self._directory)
            return
        for path in sorted(self._directory.iterdir()):
            if path.name.startswith("."):
                continue
            is_loose = path.suffix == ".keras"
            name = path.stem if is_loose else path.name
            if not is_loose and not any((path / file).exists() for file in (KERAS_FILE, LITERT_FILE, CARD_FILE)):
                continue
            if NAME_PATTERN.fullmatch(name):
                yield name, path
            else:
                logger.error("Ignored %r in the model directory: a name is 1 to 128 of A-Z a-z 0-9 _ . -", path.name)

    def _load(self, name: str, path: Path) -> Model:
        try:
            keras = _keras_file(path)
            digest = file_record(keras.read_bytes()).sha256 if keras.exists() else None
            model = self._from_card(name, path, digest) if path.is_dir() else None
            if model is None and digest is not None:
                model = self._from_card(name, self._compiled_dir / digest, digest) or Model(name, State.LOADING, digest=digest)
            if model is None:
                raise UnservableModel(f"There is no {KERAS_FILE}, and no {CARD_FILE} confirms {LITERT_FILE}.")
            return model
        except (OSError, UnusableCard, UnservableModel) as error:
            logger.error("Model %s failed: %s", name, error)
            return Model(name, State.FAILED, reason=str(error))

    def _from_card(self, name: str, directory: Path, keras_digest: str | None) -> Model | None:
        """Return the model that a directory's card confirms, or None when it confirms none."""
        try:
            card = Card.read(directory / CARD_FILE)
            flatbuffer = (directory / LITERT_FILE).read_bytes()
        except FileNotFoundError:
            return None
        keras_record = card.files.get(KERAS_FILE)
        is_of_this_keras = keras_digest is None or (keras_record is not None and keras_record.sha256 == keras_digest)
        if not is_of_this_keras or card.files.get(LITERT_FILE) != file_record(flatbuffer):
            return None
        return Model(
            name,
            State.READY,
            digest=(keras_record or file_record(flatbuffer)).sha256,
            classes=card.classes,
            input=card.input,
            bytes=len(flatbuffer),
            parity=card.parity,
            network=Network(flatbuffer, len(card.classes)),
        )

    def _compile(self, uncompiled: list[tuple[str, Path]]) -> None:
        with self._compiler as compiler:
            for name, path in uncompiled:
                if self._closing.is_set():
                    return
                waiting = self._models[name]
                try:
                    compiler.compile(_keras_file(path), self._compiled_dir / str(waiting.digest))
                    model = self._load(name, path)
                    if model.state is State.LOADING:
                        model = replace(model, state=State.FAILED, reason=f"{KERAS_FILE} changed while it was compiled.")
                    self._models[name] = model
                except (CompilationFailed, OSError) as error:
                    logger.error("Model %s failed: %s", name, error)
                    self._models[name] = replace(waiting, state=State.FAILED, reason=str(error))


def _keras_file(path: Path) -> Path:
    return path if path.suffix == ".keras" else path / KERAS_FILE

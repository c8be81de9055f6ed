"""The model directory -> models that answer. Owns their states; knows nothing of HTTP.

A model is served from its model.tflite when its card.json confirms the digests of that file and of model.keras; otherwise
from what the compiler makes of model.keras. A model that cannot be served is FAILED with its reason, and the others serve on.
"""

import logging
import re
import stat
import threading
from collections.abc import Iterator, Sequence
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
from inference.errors import MalformedRequest, ModelFailed, ModelNotReady, ServiceError, UnknownExperiment

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
FIRST_VERSION = 1
MAX_MODEL_BYTES = 256 * 2**20

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
    task: str = "mnist"
    net: Network | None = None

    def network(self) -> Network:
        """Return what answers."""
        if self.net is None:
            raise ModelNotReady if self.state is State.LOADING else ModelFailed
        return self.net


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
            if name in self._models:
                logger.error("Ignored %s: the directory of the same name is served.", path)
                continue
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

    def find(self, name: str, version: int = 1) -> Model:
        """Return a model in whatever state. Raises UnknownExperiment."""
        try:
            return self._models[name]
        except KeyError:
            raise UnknownExperiment from None

    def select(self, wanted: "Sequence[str]") -> "list[tuple[str, Model | ServiceError]]":
        """Resolve names."""
        if list(wanted) == ["all"]:
            return [(m.name, m) for m in self.all() if m.state is State.READY]
        out: list[tuple[str, Model | ServiceError]] = []
        for name in wanted:
            if not NAME_PATTERN.fullmatch(name):
                raise MalformedRequest("experiment_name must be 1 to 128 of A-Z a-z 0-9 _ . - and begin with a letter or digit.")
            try:
                out.append((name, self.find(name)))
            except UnknownExperiment as e:
                out.append((name, e))
        return out

    def ready(self, name: str) -> tuple[Model, Network]:
        """Return a model that answers, and its network. Raises UnknownExperiment, ModelNotReady or ModelFailed."""
        model = self.find(name)
        if model.net is None:
            raise ModelNotReady if model.state is State.LOADING else ModelFailed
        return model, model.net

    def _candidates(self) -> Iterator[tuple[str, Path]]:
        """Yield the name of each model with its directory, or with its file when it is a loose one."""
        try:
            paths = list(self._directory.iterdir())
        except OSError as error:
            logger.error("The model directory %s cannot be read, so no model is served: %s", self._directory, error.strerror)
            return
        for path in sorted(paths, key=lambda path: (path.suffix == ".keras", path.name)):
            if path.name.startswith("."):
                continue
            is_loose = path.suffix == ".keras"
            name = path.stem if is_loose else path.name
            if not is_loose and not _may_hold_a_model(path):
                continue
            if NAME_PATTERN.fullmatch(name):
                yield name, path
            else:
                logger.error("Ignored %r in the model directory: a name is 1 to 128 of A-Z a-z 0-9 _ . -", path.name)

    def _load(self, name: str, path: Path) -> Model:
        try:
            keras = _read(_keras_file(path))
            digest = file_record(keras).sha256 if keras is not None else None
            model = self._from_card(name, path, digest) if path.is_dir() else None
            if model is None and digest is not None:
                model = self._compiled_before(name, digest) or Model(name, State.LOADING, digest=digest)
            if model is None:
                raise UnservableModel(f"There is no {KERAS_FILE}, and no {CARD_FILE} confirms {LITERT_FILE}.")
            return model
        except OSError as error:
            logger.error("Model %s failed: %s", name, error)
            return Model(name, State.FAILED, reason=f"Its files cannot be read: {error.strerror}.")
        except (UnusableCard, UnservableModel) as error:
            logger.error("Model %s failed: %s", name, error)
            return Model(name, State.FAILED, reason=str(error))

    def _compiled_before(self, name: str, digest: str) -> Model | None:
        """Return what the compiler made of a Keras file earlier; what is damaged there is made anew."""
        try:
            return self._from_card(name, self._compiled_dir / digest, digest)
        except (OSError, UnusableCard, UnservableModel) as error:
            logger.warning("Model %s is compiled anew: %s", name, error)
            return None

    def _from_card(self, name: str, directory: Path, keras_digest: str | None) -> Model | None:
        """Return the model that a directory's card confirms, or None when it confirms none."""
        flatbuffer = _read(directory / LITERT_FILE)
        if flatbuffer is None or not (directory / CARD_FILE).exists():
            return None
        card = Card.read(directory / CARD_FILE)
        keras_record = card.files.get(KERAS_FILE)
        is_of_this_keras = keras_digest is None or (keras_record is not None and keras_record.sha256 == keras_digest)
        if not is_of_this_keras or card.files.get(LITERT_FILE) != file_record(flatbuffer):
            return None
        if not card.parity.holds:
            raise UnservableModel("Its card says that LiteRT and Keras disagree; make its artefact again.")
        return Model(
            name,
            State.READY,
            digest=(keras_record or file_record(flatbuffer)).sha256,
            classes=card.classes,
            input=card.input,
            bytes=len(flatbuffer),
            parity=card.parity,
            net=Network(flatbuffer, len(card.classes), card.input, card.output),
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
                    reason = str(error) if isinstance(error, CompilationFailed) else f"It could not be compiled: {error.strerror}."
                    self._models[name] = replace(waiting, state=State.FAILED, reason=reason)


def _keras_file(path: Path) -> Path:
    return path if path.suffix == ".keras" else path / KERAS_FILE


def _may_hold_a_model(directory: Path) -> bool:
    """Tell whether a directory holds one of a model's files, or cannot be looked into: that is for a person to see."""
    try:
        return any((directory / file).exists() for file in (KERAS_FILE, LITERT_FILE, CARD_FILE))
    except OSError:
        return True


def _read(path: Path) -> bytes | None:
    """Return a file's content, or None when there is none. Raises OSError and UnservableModel; never waits, as on a pipe."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise UnservableModel(f"{path.name} is no regular file.")
    if status.st_size > MAX_MODEL_BYTES:
        raise UnservableModel(f"{path.name} has {status.st_size} bytes; {MAX_MODEL_BYTES} are the most that is served.")
    return path.read_bytes()

"""Model of a comparison: a network with its card, digests and size."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inference.model_format import layout
from inference.model_format.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    MAX_CARD_BYTES,
    Card,
    InvalidCardError,
    file_record,
)
from inference.model_format.safe_open import MAX_MODEL_BYTES
from inference.models import artifacts
from inference.originals.keys import key_in
from inference.originals.store import OriginalStore
from inference.runtime.network import Network, UnservableModelError

LIMITS = {LITERT_FILE: MAX_MODEL_BYTES, CARD_FILE: MAX_CARD_BYTES}


class UnusableModelError(Exception):
    """A model cannot be loaded. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class Model:
    """A loaded model.

    `digest` is the sha256 (hex) of model.tflite. `keras_digest` is that of model.keras, or None
    without such a file. `bytes` is the size of model.tflite.
    """

    network: Network
    card: Card
    digest: str
    keras_digest: str | None
    bytes: int

    @property
    def labels(self) -> tuple[str, ...]:
        """Class labels by class index."""
        return self.card.classes


def load_artifact(store: OriginalStore, url: str) -> Model:
    """Load a candidate: a zip of model.tflite and card.json in the store, beside model.keras.

    Raises UnusableModelError and StorageUnavailableError.
    """
    key = key_in(url)
    data = store.get(key)
    if data is None:
        raise UnusableModelError(
            f"The candidate's files {key} are missing in the storage. Start another run."
        )
    if hashlib.sha256(data).hexdigest() != Path(key).stem:
        raise UnusableModelError(
            f"The candidate's files {key} are damaged in the storage. Delete the object and start "
            "another run."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _load({name: _read_member(archive, name) for name in LIMITS}, key)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise UnusableModelError(
            f"The candidate's files {key} are not a zip of a model and its card: {error}. "
            "Start another run."
        ) from error


def load_directory(directory: Path) -> Model:
    """Load a candidate from a directory with model.tflite and card.json, as training stages it.

    Raises UnusableModelError.
    """
    try:
        return _load({name: (directory / name).read_bytes() for name in LIMITS}, str(directory))
    except (OSError, ValueError) as error:
        raise UnusableModelError(
            f"{directory} is not a model and its card: {error}. Start another run."
        ) from error


def load_version(models_dir: Path, compiled_dir: Path, name: str, version: int) -> Model:
    """Load a published version. One without a LiteRT model is compiled into `compiled_dir` first.

    The compiler's sandboxed child reads the Keras file. Raises UnusableModelError.
    """
    try:
        files = layout.find_versions(models_dir, name)[0].get(version)
        if files is None:
            raise UnusableModelError(
                f"{name}, version {version}, is not in the model directory. Restore its files, or "
                "move the alias to another version."
            )
        artifact = artifacts.read(files, compiled_dir)
        if isinstance(artifact, artifacts.PendingCompilation):
            artifact = _compile(artifact)
        network = artifacts.load_network(artifact.card, artifact.flatbuffer)
    except (OSError, UnservableModelError, InvalidCardError) as error:
        raise UnusableModelError(f"{name}, version {version}: {error}") from error
    keras = artifact.card.files.get(KERAS_FILE)
    return Model(
        network,
        artifact.card,
        artifact.record.sha256,
        None if keras is None else keras.sha256,
        artifact.record.bytes,
    )


def _compile(pending: artifacts.PendingCompilation) -> artifacts.Artifact:
    # Compiling is rare, and its imports need memory.
    from inference.compiler.child_errors import CompilationError  # noqa: PLC0415
    from inference.compiler.process import Compiler  # noqa: PLC0415

    try:
        with Compiler() as compiler:
            compiler.compile(pending.keras_file, pending.directory, pending.declared)
    except CompilationError as error:
        raise UnservableModelError(str(error)) from error
    artifact = artifacts.find_compiled(pending)
    if artifact is None:
        raise UnservableModelError("Its Keras file changed while it was compiled. Try again.")
    return artifact


def _load(files: Mapping[str, bytes], source: str) -> Model:
    """Load a network from its files. Raises UnusableModelError and ValueError."""
    try:
        card = Card.from_document(json.loads(files[CARD_FILE]))
        record = file_record(files[LITERT_FILE])
        if card.files.get(LITERT_FILE) != record:
            raise UnusableModelError(
                f"{source}: {CARD_FILE} describes another {LITERT_FILE}. Start another run."
            )
        network = artifacts.load_network(card, files[LITERT_FILE])
    except (InvalidCardError, UnservableModelError) as error:
        raise UnusableModelError(f"{source}: {error}") from error
    keras = card.files.get(KERAS_FILE)
    return Model(
        network, card, record.sha256, None if keras is None else keras.sha256, record.bytes
    )


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > LIMITS[name]:
        raise ValueError(f"{name} is larger than {LIMITS[name]} bytes")
    return archive.read(name)

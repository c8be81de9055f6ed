"""Bundled models: chosen versions of the model directory, checked against their cards."""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.model_format import layout, robustness
from inference.model_format.card import (
    CARD_FILE,
    LITERT_FILE,
    Card,
    InvalidCardError,
    file_record,
)
from inference.model_format.layout import ModelFiles
from inference.model_format.robustness import ROBUSTNESS_FILE, InvalidRobustnessError
from inference.model_format.safe_open import RejectedModelError, open_regular
from inference.probe.robustness import version_digest
from monitoring.detector import REFERENCE_FILE

MAX_SUGGESTIONS = 3
PUBLISH_AGAIN = "Publish the model again (make publish)."

VersionKey = tuple[str, int]


class BundleError(Exception):
    """The bundle cannot be built. The message says why and what to do."""


@dataclass(frozen=True)
class BundledModel:
    """One version of a model in a bundle. `files` holds the content of each file by name."""

    name: str
    version: int
    card: Card
    files: Mapping[str, bytes]

    @property
    def key(self) -> str:
        """Name and version as the API takes them, such as `lenet5@1`."""
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """Digest of the version as the API and `model_versions` have it (sha256, hex)."""
        return version_digest(self.card)


def choose(models_dir: Path, names: Sequence[str]) -> dict[VersionKey, ModelFiles]:
    """Return the files of the chosen versions, in alphabetical order of their names.

    A name is `NAME` for its newest version, or `NAME@3`. Without names, all models are chosen.
    Raises BundleError.
    """
    try:
        found, _ = layout.find_models(models_dir)
    except OSError as error:
        raise BundleError(
            f"The model directory {models_dir} cannot be read: {error.strerror}. Set MODELS_DIR."
        ) from error
    newest = dict(sorted(found))  # the last version of a name wins
    keys = [_find(found, newest, name) for name in names] or list(newest.items())
    if not keys:
        raise BundleError(f"{models_dir} has no models. Publish one (make publish).")
    return {key: found[key] for key in sorted(set(keys))}


def read(key: VersionKey, files: ModelFiles) -> BundledModel:
    """Return a version with the content of its files, without model.keras. Raises BundleError."""
    name, version = key
    label = f"{name}@{version}"
    if files.problem is not None:
        raise BundleError(f"{label}: {files.problem}")
    if LITERT_FILE not in files.sizes or CARD_FILE not in files.sizes:
        raise BundleError(
            f"{label} has no {LITERT_FILE} with a {CARD_FILE}, and the slim image cannot compile "
            f"it. {PUBLISH_AGAIN}"
        )
    try:
        contents = {name: _read(files.path / name) for name in (CARD_FILE, LITERT_FILE)}
        card = Card.read(files.path / CARD_FILE)
        if REFERENCE_FILE in card.files:
            contents[REFERENCE_FILE] = _read(files.path / REFERENCE_FILE)
        if robustness.read(files.path, version_digest(card)) is not None:
            contents[ROBUSTNESS_FILE] = _read(files.path / ROBUSTNESS_FILE)
    except (InvalidCardError, InvalidRobustnessError, RejectedModelError) as error:
        raise BundleError(f"{label}: {error}") from error
    except OSError as error:
        raise BundleError(
            f"{label}: {error.filename} cannot be read ({error.strerror}). {PUBLISH_AGAIN}"
        ) from error
    for file in sorted({LITERT_FILE, *contents} & {LITERT_FILE, REFERENCE_FILE}):
        _confirm(label, file, contents[file], card)
    if not card.parity.holds:
        raise BundleError(f"{label}: LiteRT and Keras disagree. {PUBLISH_AGAIN}")
    return BundledModel(name, version, card, contents)


def require_digest(model: BundledModel, expected: str | None, source: str) -> None:
    """Raise BundleError unless a version has the digest that its alias has recorded."""
    if expected is not None and model.digest != expected:
        raise BundleError(
            f"{source} is {model.key} with digest {expected}, but the model directory has "
            f"{model.digest}. Set MODELS_DIR to the directory of the service."
        )


def _find(
    found: Mapping[VersionKey, ModelFiles], newest: Mapping[str, int], text: str
) -> VersionKey:
    name, _, version = text.partition("@")
    if name not in newest:
        close = (
            [known for known in sorted(newest) if name in known]
            or difflib.get_close_matches(name, newest, MAX_SUGGESTIONS)
            or sorted(newest)
        )
        raise BundleError(
            f"Unknown model {name!r}. Similar names are {_join(close[:MAX_SUGGESTIONS])}."
        )
    if not version:
        return name, newest[name]
    key = (name, int(version) if layout.VERSION_PATTERN.fullmatch(version) else 0)
    if key not in found:
        versions = [str(number) for other, number in sorted(found) if other == name]
        raise BundleError(f"Unknown version {text!r}. {name} has the versions {_join(versions)}.")
    return key


def _confirm(label: str, name: str, content: bytes, card: Card) -> None:
    record = card.files.get(name)
    actual = file_record(content)
    if record is None:
        raise BundleError(f"The {CARD_FILE} of {label} does not record {name}. {PUBLISH_AGAIN}")
    if record != actual:
        raise BundleError(
            f"{name} of {label} differs from its {CARD_FILE}: sha256 {actual.sha256} instead of "
            f"{record.sha256}. {PUBLISH_AGAIN}"
        )


def _read(path: Path) -> bytes:
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read()


def _join(names: Iterable[str]) -> str:
    return ", ".join(names)

"""Labeled set: images with their true labels, kept in memory only."""

import hashlib
import io
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from PIL import Image

EVEN, ODD = "even", "odd"
DIGITS = frozenset("0123456789")


class InvalidSetError(Exception):
    """The file holds no usable set. The message says why and what to do."""


@dataclass(frozen=True)
class SkippedFile:
    """File of a zip that is not part of the set, with the reason."""

    file: str
    reason: str


@dataclass(frozen=True)
class LabeledSet:
    """Images with their true labels.

    Attributes:
        name: name on the page.
        images: bytes of N image files.
        labels: the N true labels.
        digest: SHA-256 (hex) of labels and images in order. Equal sets have equal digests, whatever
            their names.
        skipped: files of a zip that are not in the set.

    """

    name: str
    images: tuple[bytes, ...]
    labels: tuple[str, ...]
    digest: str
    skipped: tuple[SkippedFile, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of images of each label."""
        return dict(sorted(Counter(self.labels).items()))


def make_set(
    name: str, images: Iterable[bytes], labels: Iterable[str], skipped: Iterable[SkippedFile] = ()
) -> LabeledSet:
    """Return the set of these images and labels, in this order."""
    images, labels = tuple(images), tuple(labels)
    digest = hashlib.sha256()
    for image, label in zip(images, labels, strict=True):
        digest.update(hashlib.sha256(image).digest() + label.encode() + b"\0")
    return LabeledSet(name, images, labels, digest.hexdigest(), tuple(skipped))


def adapt_labels(labeled_set: LabeledSet, classes: Collection[str]) -> LabeledSet | None:
    """Return the images with labels that a model has as classes, None if there are none.

    Digits become even and odd for a model of parity. The labels that are left out are those of
    `unknown_labels`.
    """
    class_of = {label: _class_of(label, classes) for label in set(labeled_set.labels)}
    if all(label == known for label, known in class_of.items()):
        return labeled_set
    kept = [
        (image, known)
        for image, label in zip(labeled_set.images, labeled_set.labels, strict=True)
        if (known := class_of[label]) is not None
    ]
    if not kept:
        return None
    images, labels = zip(*kept, strict=True)
    return make_set(labeled_set.name, images, labels, labeled_set.skipped)


def unknown_labels(labeled_set: LabeledSet, classes: Collection[str]) -> list[str]:
    """Return the labels of a set that are not classes of a model, in order."""
    return sorted(label for label in labeled_set.counts if _class_of(label, classes) is None)


def _class_of(label: str, classes: Collection[str]) -> str | None:
    """Return the class of a label, also of a digit for a model of parity."""
    if label in classes:
        return label
    return (EVEN, ODD)[int(label) % 2] if set(classes) == {EVEN, ODD} and label in DIGITS else None


def encode_png(image: Image.Image) -> bytes:
    """Return an image as PNG."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()

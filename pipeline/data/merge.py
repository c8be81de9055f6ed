"""Merge: the rows of a new dataset, from its parent, new uploads and people's current labels.

- An image of the base dataset's test part never enters a dataset.
- An image of its training part keeps its split. A person's label may replace its label, an upload's
  may not.
- Uploads that disagree on an image lose it, until a person labels it.
- A person's current label replaces an upload's. A withdrawn label leaves.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.preprocessing.digits import pixel_digest
from pipeline.data.base import Base
from pipeline.data.rows import AUDIT, BASE, CORRECTION, UPLOAD, Content, Row, split_of, weight_of
from pipeline.data.upload_reader import LabeledImages, Reject
from training.task import Task

ASKED_FOR = frozenset({"disagreement", "random", "novel"})
IN_TEST = "The image is one of the base dataset's test images, which are never trained on."


@dataclass(frozen=True)
class PersonLabel:
    """A current label of a person. `source` is correction or audit."""

    digest: str
    label: str
    source: str
    pixels: bytes


@dataclass(frozen=True)
class Merged:
    """The new content, and the rejects.

    `rejects` are of each upload, by id. `used` are the images of each new upload that were not
    rejected. `in_base` and `in_test` count people's labels that add nothing: the base dataset has
    the image with this label, or has it in its test part.
    """

    content: Content
    rejects: Mapping[int, Sequence[Reject]]
    used: Mapping[int, int]
    in_base: int
    in_test: int


def merge(
    base: Base,
    task: Task,
    parent: Content | None,
    uploads: Mapping[int, LabeledImages],
    labels: Sequence[PersonLabel],
    splits: Mapping[str, str],
) -> Merged:
    """Return the content of the next dataset. `splits` are those of earlier versions, by digest."""
    merger = _Merger(base, task, parent or Content(base.sha256), splits)
    for number, content in uploads.items():
        merger.add_upload(number, content)
    merger.leave_base_images()
    for label in labels:
        merger.add_label(label)
    return merger.result()


class _Merger:
    def __init__(self, base: Base, task: Task, parent: Content, splits: Mapping[str, str]) -> None:
        self._base, self._task = base, task
        self._splits = {row.digest: row.split for row in parent.rows()} | dict(splits)
        self._uploaded = dict(parent.uploaded)
        self._answered: dict[str, Row] = {}
        self._conflicts = dict(parent.conflicts)
        self._pixels = dict(parent.pixels)
        self._rejects: dict[int, list[Reject]] = defaultdict(list)
        self._used: dict[int, int] = {}
        self._in_base = self._in_test = 0

    def add_upload(self, upload: int, content: LabeledImages) -> None:
        """Add the images of an upload, or reject those that cannot be used."""
        self._used[upload] = 0
        for image, label, place, group in zip(
            content.images, content.labels, content.places, content.groups, strict=True
        ):
            digest = pixel_digest(image)
            reason = self._unusable(digest, label) or self._conflict(digest, label, place, upload)
            if reason is not None:
                self._rejects[upload].append(Reject(place, reason))
                continue
            self._used[upload] += 1
            if digest not in self._uploaded and digest not in self._base.train_index:
                split = self._split(digest, group)
                self._uploaded[digest] = Row(
                    digest, label, split, weight_of(UPLOAD, split), UPLOAD, group, place, upload
                )
                self._pixels[digest] = image.tobytes()

    def leave_base_images(self) -> None:
        """Remove the rows of earlier versions whose images another base dataset has."""
        for digest in [*self._uploaded]:
            if digest in self._base.test_index or digest in self._base.train_index:
                del self._uploaded[digest]

    def add_label(self, label: PersonLabel) -> None:
        """Add a person's label."""
        digest = label.digest
        if digest in self._base.test_index:
            self._in_test += 1
            return
        if (index := self._base.train_index.get(digest)) is not None:
            if self._base.train_class(index, self._task) == label.label:
                self._in_base += 1
                return
            self._answered[digest] = Row(digest, label.label, self._base.splits[index], 1, BASE)
        else:
            earlier = self._uploaded.get(digest)
            split = self._split(digest, earlier.group if earlier else None)
            self._answered[digest] = Row(
                digest,
                label.label,
                split,
                weight_of(label.source, split),
                label.source,
                earlier.group if earlier else None,
            )
        self._pixels[digest] = label.pixels

    def result(self) -> Merged:
        """Return what was merged."""
        kept = self._uploaded.keys() | self._answered.keys()
        content = Content(
            self._base.sha256,
            self._uploaded,
            self._answered,
            self._conflicts,
            {digest: self._pixels[digest] for digest in sorted(kept)},
        )
        return Merged(content, self._rejects, self._used, self._in_base, self._in_test)

    def _split(self, digest: str, group: str | None) -> str:
        return self._splits.get(digest) or split_of(digest, group)

    def _unusable(self, digest: str, label: str) -> str | None:
        if digest in self._base.test_index:
            return IN_TEST
        if (index := self._base.train_index.get(digest)) is not None:
            known = self._base.train_class(index, self._task)
            if known != label:
                return (
                    f"Labeled {label} here, and {known or 'no class of the task'} in the base "
                    f"dataset (training image {index})."
                )
        return self._conflicts.get(digest)

    def _conflict(self, digest: str, label: str, place: str, upload: int) -> str | None:
        """Reject both rows if another upload, or another place of this one, disagrees."""
        other = self._uploaded.get(digest)
        if other is None or other.label == label or other.upload is None:
            return None
        del self._uploaded[digest]
        self._conflicts[digest] = (
            f"Labeled {other.label} at {other.place} of upload {other.upload}, and {label} at "
            f"{place} of upload {upload}."
        )
        self._rejects[other.upload].append(Reject(other.place, self._conflicts[digest]))
        if other.upload in self._used:
            self._used[other.upload] -= 1
        return self._conflicts[digest]


def source_of(label_source: str) -> str:
    """Return the source of a row from labels.source: audit for a label that was asked for."""
    return AUDIT if label_source in ASKED_FOR else CORRECTION

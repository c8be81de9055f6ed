"""Step ingest: new uploads and people's current labels become the next dataset.

Safe to repeat: a dataset is identified by its content, its object is stored before its row, and the
row, its images and the states of the uploads are committed together.
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inference.originals.keys import key_in
from inference.originals.open_store import open_store
from inference.originals.store import OriginalStore
from pipeline.data import records, versions
from pipeline.data.assembly import count_splits, describe_sources
from pipeline.data.base import Base
from pipeline.data.dataset import read_base, read_content, read_task
from pipeline.data.labels import CurrentLabels, read_labels
from pipeline.data.merge import Merged, merge
from pipeline.data.readers.limits import MAX_REASON_CHARACTERS, RejectedUploadError, printable
from pipeline.data.records import FinishedUpload, NewDataset
from pipeline.data.rows import TEST, TRAIN, VALIDATION, Content, dataset_digest
from pipeline.data.upload_reader import TEMPORARY_PREFIX, LabeledImages, Reject, read_upload
from pipeline.database import Record
from pipeline.steps.context import PermanentError, StepContext
from training.task import Task

LATEST = "latest"
MISSING = "The uploaded file is missing in the store. Load it again."
DAMAGED = "The uploaded file is damaged in the store. Load it again."
NOTHING_NEW: Mapping[str, Any] = {
    "unavailable": 0,
    "unavailable_reasons": {},
    "rejected": 0,
    "labels_in_base": 0,
    "labels_in_test": 0,
}


def run(context: StepContext) -> dict[str, Any]:
    """Choose or create the run's dataset. Return its row and what was left out.

    Raises PermanentError, StorageUnavailableError, OSError, psycopg2.Error, SupersededError and
    CancelledError.
    """
    wanted = context.run.params.get("dataset") or LATEST
    if wanted != LATEST:
        return _use_existing(context, wanted)
    task, base = read_task(context.run.task), read_base()
    store = open_store(context.settings.images_url)
    parent = records.find_dataset(context.database, task.name, None)
    parent_content = read_content(context, parent["id"]) if parent else None
    contents, unreadable = _read_uploads(context, store, task)
    labels = read_labels(
        context.database,
        store,
        task.name,
        task.labels,
        _known_pixels(base, parent_content),
        lambda count: context.progress(labels=count),
    )
    splits = records.find_splits(context.database, task.name, _digests(contents, labels))
    merged = merge(base, task, parent_content, contents, labels.labels, splits)
    dataset = _new_dataset(context, store, task, base, parent, parent_content, merged.content)
    uploads = [*unreadable, *_finished(contents, merged)]
    with context.transaction() as cursor:
        dataset_id, is_new = records.store_dataset(cursor, dataset)
        for upload in uploads:
            records.finish_upload(cursor, upload)
        if is_new:
            for number in merged.rejects.keys() - contents.keys():
                records.reject_later(cursor, number, merged.rejects[number])
        records.use_dataset(cursor, context.run.id, dataset_id)
    return _outputs(records.dataset_by_id(context.database, dataset_id)) | {
        "unavailable": sum(labels.unavailable.values()),
        "unavailable_reasons": dict(labels.unavailable),
        "rejected": sum(upload.rejected for upload in uploads),
        "labels_in_base": merged.in_base,
        "labels_in_test": merged.in_test,
    }


def _use_existing(context: StepContext, digest: str) -> dict[str, Any]:
    """Let the run use a dataset that exists."""
    record = records.find_dataset(context.database, context.run.task, digest)
    if record is None:
        raise PermanentError(
            f"The task {context.run.task} has no dataset {printable(str(digest), 64)}. "
            "See GET /datasets for the existing ones."
        )
    with context.transaction() as cursor:
        records.use_dataset(cursor, context.run.id, record["id"])
    return _outputs(record) | dict(NOTHING_NEW)


def _read_uploads(
    context: StepContext, store: OriginalStore, task: Task
) -> tuple[dict[int, LabeledImages], list[FinishedUpload]]:
    """Return the images of the uploads that no run has read, and the uploads without any."""
    contents: dict[int, LabeledImages] = {}
    unreadable = []
    for leftover in context.work.glob(f"{TEMPORARY_PREFIX}*"):  # of a killed worker
        shutil.rmtree(leftover, ignore_errors=True)
    for upload in records.received_uploads(context.database, task.name):
        try:
            contents[upload["id"]] = _read_upload(context, store, task, upload)
        except RejectedUploadError as error:
            unreadable.append(FinishedUpload(upload["id"], str(error), 0, 0, []))
    return contents, unreadable


def _read_upload(
    context: StepContext, store: OriginalStore, task: Task, upload: Record
) -> LabeledImages:
    """Return the images of an upload. Raises RejectedUploadError."""
    context.progress(upload=upload["id"], images=0)
    data = store.get(key_in(upload["url"]))
    if data is None:
        raise RejectedUploadError(MISSING)
    if hashlib.sha256(data).hexdigest() != upload["digest"]:
        raise RejectedUploadError(DAMAGED)
    return read_upload(
        data,
        task.labels,
        context.work,
        lambda count: context.progress(upload=upload["id"], images=count),
    )


def _known_pixels(base: Base, parent: Content | None) -> Callable[[str], bytes | None]:
    """Return a function that returns the pixels of an image that needs no original."""

    def pixels(digest: str) -> bytes | None:
        if (index := base.train_index.get(digest)) is not None:
            return bytes(base.train_images[index].tobytes())
        if (index := base.test_index.get(digest)) is not None:
            return bytes(base.test_images[index].tobytes())
        return parent.pixels.get(digest) if parent else None

    return pixels


def _digests(contents: Mapping[int, LabeledImages], labels: CurrentLabels) -> set[str]:
    digests = {label.digest for label in labels.labels}
    for content in contents.values():
        digests.update(hashlib.sha256(image.tobytes()).hexdigest() for image in content.images)
    return digests


def _new_dataset(
    context: StepContext,
    store: OriginalStore,
    task: Task,
    base: Base,
    parent: Record | None,
    parent_content: Content | None,
    content: Content,
) -> NewDataset:
    """Store the object of a dataset and return its row."""
    rows = content.rows()
    url, size = versions.save(store, parent_content, content)
    counts = count_splits(base, task, content)
    return NewDataset(
        task=task.name,
        digest=dataset_digest(content.base_sha256, rows),
        parent_id=parent["id"] if parent else None,
        url=url,
        bytes=size,
        images=counts.total(),
        train=counts[TRAIN],
        validation=counts[VALIDATION],
        test=counts[TEST],
        classes=task.labels,
        sources=describe_sources(base, task, content),
        created_by=f"run {context.run.id}",
        rows=rows,
    )


def _finished(contents: Mapping[int, LabeledImages], merged: Merged) -> list[FinishedUpload]:
    """Return the states of the uploads that were read."""
    finished = []
    for number, content in contents.items():
        rejects: Sequence[Reject] = [*merged.rejects.get(number, ()), *content.rejects]
        used = merged.used[number]
        reason = None if used else _no_usable_image(rejects)
        rejected = content.rejected + len(merged.rejects.get(number, ()))
        finished.append(FinishedUpload(number, reason, used, rejected, rejects))
    return finished


def _no_usable_image(rejects: Sequence[Reject]) -> str:
    first = rejects[0]
    return printable(
        f"No image of the file can be used. First reject: {first.path}: {first.reason}",
        MAX_REASON_CHARACTERS,
    )


def _outputs(record: Record) -> dict[str, Any]:
    sources = record["sources"]
    return {
        "dataset_id": record["id"],
        **{key: record[key] for key in ("digest", "url", "images", "train", "validation", "test")},
        "corrections": sources["corrections"],
        "audit": sources["audit"],
        "uploads": sum(sources["uploads"].values()),
    }

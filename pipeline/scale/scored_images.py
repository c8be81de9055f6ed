"""Scored images: the canonical images of a storage prefix, with an error for each unreadable one.

A prefix is a folder of the store at IMAGES_URL, where other programs put images of any names.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.errors import ImageTooLargeError
from inference.originals import keys
from inference.originals.store import OriginalStore, StoredObject
from inference.preprocessing.digits import SIDE
from pipeline.database import Database
from pipeline.scale.chunk import ReadImage, read_chunk
from pipeline.scale.chunk_runner import ChunkRunner, Task
from pipeline.scale.scored_models import UnusableRequestError

MAX_IMAGES = 200_000  # of a prefix: 157 MB of pixels
PAGE = 10_000
READ_IMAGES, READ_BYTES = 256, 8 * 2**20  # of a task
QUERY_IMAGES = 10_000
CURRENT_LABELS = """
SELECT images.digest, labels.label FROM labels JOIN images ON images.id = labels.image_id
WHERE labels.task = %s AND labels.replaced_at IS NULL AND labels.image_id = ANY (%s::uuid[])
"""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class ScoredImages:
    """Images in the order of the result's rows.

    `keys` are names in the store, or None for a dataset. `digests` are sha256 (hex) of canonical
    pixels. An image that cannot be read has an error, no digest, and pixels of 0.

    Attributes:
        pixels: uint8 of shape (n, 28, 28).

    """

    pixels: Pixels
    digests: Sequence[str | None]
    labels: Sequence[str | None]
    keys: Sequence[str] | None = None
    errors: Sequence[str | None] | None = None

    def readable(self) -> NDArray[np.bool_]:
        """Return for each image whether it can be scored."""
        return np.array([digest is not None for digest in self.digests], np.bool_)

    def with_labels(self, labels: Mapping[str, str]) -> "ScoredImages":
        """Return the images with labels by digest, None for others."""
        return replace(self, labels=[labels.get(digest or "") for digest in self.digests])


def read_prefix(
    store: OriginalStore,
    prefix: str,
    max_image_bytes: int,
    runner: ChunkRunner,
    on_progress: Callable[[int, int], None],
) -> ScoredImages:
    """Return the images in a folder of a store and below, in the order of their names.

    `on_progress` gets the number of images that were read, and of all. Labels are unknown. Raises
    UnusableRequestError for a prefix without images or with too many, StorageUnavailableError,
    and ScaleUnavailableError.
    """
    objects = list_images(store, prefix)
    pixels = np.zeros((len(objects), SIDE, SIDE), np.uint8)
    images: list[ReadImage] = [_too_large(max_image_bytes)] * len(objects)
    done = 0
    for task, results in runner.run(_read_tasks(store, objects, max_image_bytes)):
        for index, image in zip(task.key, results, strict=True):
            images[index] = image
            if image.pixels is not None:
                pixels[index] = np.frombuffer(image.pixels, np.uint8).reshape(SIDE, SIDE)
        done += len(results)
        on_progress(done, len(objects))
    return ScoredImages(
        pixels,
        [image.digest for image in images],
        [None] * len(images),
        [found.key for found in objects],
        [image.error for image in images],
    )


def list_images(store: OriginalStore, prefix: str) -> list[StoredObject]:
    """Return the objects of a prefix, without those that the pipeline itself stores.

    Raises UnusableRequestError and StorageUnavailableError.
    """
    objects: list[StoredObject] = []
    try:
        page = store.list_keys(prefix, limit=PAGE)
        while page:
            objects += [found for found in page if _may_be_image(found.key)]
            if len(objects) > MAX_IMAGES:
                raise UnusableRequestError(
                    f"The prefix has more than {MAX_IMAGES:,} images. Score its folders."
                )
            page = store.list_keys(prefix, page[-1].key, PAGE) if len(page) == PAGE else []
    except ValueError as error:
        raise UnusableRequestError(f"{error} A prefix is a folder of the storage.") from error
    if not objects:
        raise UnusableRequestError(
            f"The storage has no images with the prefix {prefix!r}. Correct the prefix, or put "
            "images there."
        )
    return objects


def current_labels(database: Database, task: str, digests: Sequence[str]) -> dict[str, str]:
    """Return the current labels of images by digest, of those that have one.

    Raises psycopg2.Error.
    """
    found: dict[str, str] = {}
    for start in range(0, len(digests), QUERY_IMAGES):
        ids = [digest[:32] for digest in digests[start : start + QUERY_IMAGES]]
        rows = database.query(CURRENT_LABELS, [task, ids])
        found |= {row["digest"]: row["label"] for row in rows}
    return found


def _may_be_image(key: str) -> bool:
    """Return whether an object is not a dataset, model or result, which have keys of their own."""
    return not keys.PATTERN.fullmatch(key) or keys.media_type_of(key).startswith("image/")


def _too_large(max_image_bytes: int) -> ReadImage:
    error = ImageTooLargeError(
        f"The image is larger than {max_image_bytes} bytes. Store a smaller file."
    )
    return ReadImage(None, None, error.detail)


def _read_tasks(
    store: OriginalStore, objects: Sequence[StoredObject], max_image_bytes: int
) -> Iterator[Task]:
    """Yield tasks with the content of objects. The key of a task has their indexes."""
    batch: list[int] = []
    size = 0
    for index, found in enumerate(objects):
        if found.bytes > max_image_bytes:
            continue
        if batch and (len(batch) == READ_IMAGES or size + found.bytes > READ_BYTES):
            yield _read_task(store, objects, batch, max_image_bytes)
            batch, size = [], 0
        batch.append(index)
        size += found.bytes
    if batch:
        yield _read_task(store, objects, batch, max_image_bytes)


def _read_task(
    store: OriginalStore, objects: Sequence[StoredObject], batch: list[int], max_image_bytes: int
) -> Task:
    """Return the task for some objects. A deleted one is empty, and so unreadable."""
    names = [objects[index].key for index in batch]
    result = store.read_many(names, max_image_bytes)
    for failure in result.failures.values():
        raise failure
    return Task(batch, read_chunk, ([result.objects.get(name, b"") for name in names],))

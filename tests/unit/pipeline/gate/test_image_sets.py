"""Pixels and digests of image sets."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.originals.local_store import LocalStore
from inference.originals.store import StorageUnavailableError
from inference.preprocessing.digits import pixel_digest
from inference.probe.digits import probe_digits
from pipeline.gate.image_sets import BLOCK, LabeledImages, read_pixels


def row(store: LocalStore, pixels: np.ndarray) -> dict[str, str]:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    digest = pixel_digest(pixels)
    return {
        "digest": digest,
        "original_url": store.put(f"{digest[:2]}/{digest}.png", out.getvalue()),
    }


def test_read_pixels_of_several_blocks_keeps_the_order(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    digits = probe_digits().pixels[: BLOCK + 5]
    rows = [row(store, image) for image in digits]
    found = list(read_pixels(store, rows))
    assert [digest for digest, _ in found] == [one["digest"] for one in rows]
    assert np.array_equal(np.stack([pixels for _, pixels in found]), digits)


def test_read_pixels_leaves_out_what_cannot_be_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    first, second, third, fourth, fifth = (row(store, image) for image in probe_digits().pixels[:5])
    Path(second["original_url"].removeprefix("file://")).unlink()
    Path(third["original_url"].removeprefix("file://")).write_bytes(b"no image")
    changed = {**fourth, "digest": "0" * 64}
    gone = {**fifth, "original_url": None}
    found = list(read_pixels(store, [first, second, third, changed, gone]))
    assert [digest for digest, _ in found] == [first["digest"]]


def test_read_pixels_of_an_unavailable_storage_raises(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    one = row(store, probe_digits().pixels[0])
    path = Path(one["original_url"].removeprefix("file://"))
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageUnavailableError):
        list(read_pixels(store, [one]))


def test_set_digest_depends_on_images_and_labels() -> None:
    pixels = np.zeros((2, 28, 28), np.uint8)
    digests = {
        LabeledImages(name, images, labels, pixels).set_digest
        for name, images, labels in (
            ("audit", ("a", "b"), ("1", "2")),
            ("other", ("a", "b"), ("1", "2")),
            ("audit", ("a", "c"), ("1", "2")),
            ("audit", ("a", "b"), ("1", "3")),
        )
    }
    assert len(digests) == 3

"""Images by digest."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.evaluations import image_store
from web.evaluations.image_store import ImageStore


class Api:
    """Fake API that counts its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failure: Exception | None = None

    def fetch(self, digest: str) -> bytes | None:
        self.calls.append(digest)
        if self.failure is not None:
            raise self.failure
        return None if digest == "gone" else digest.encode()


def test_images_keep_their_order() -> None:
    assert ImageStore(Api().fetch, None).get(["a", "gone", "b"]) == [b"a", None, b"b"]


def test_image_is_fetched_once() -> None:
    api = Api()
    store = ImageStore(api.fetch, None)
    store.get(["a"])
    store.get(["a"])
    assert api.calls == ["a"]


@pytest.mark.parametrize(
    "failure", [ApiUnreachableError("No response."), ApiProblemError(503, "Unavailable", "")]
)
def test_image_is_read_again_after_a_failure(failure: Exception) -> None:
    api = Api()
    store = ImageStore(api.fetch, None)
    api.failure = failure
    assert store.get(["a"]) == [None]
    api.failure = None
    assert store.get(["a"]) == [b"a"]


def test_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_store, "CACHE_BYTES", 2)
    api = Api()
    store = ImageStore(api.fetch, None)
    for digest in ("a", "b", "c", "c", "a"):
        store.get([digest])
    assert api.calls == ["a", "b", "c", "a"]


def test_test_image_comes_from_mnist(tmp_path: Path) -> None:
    pixels = np.arange(2 * 28 * 28, dtype=np.uint16).astype(np.uint8).reshape(2, 28, 28)
    np.savez(tmp_path / "mnist.npz", x_test=pixels, y_test=np.array([3, 4]))
    api = Api()
    store = ImageStore(api.fetch, tmp_path / "mnist.npz")
    [found] = store.get([hashlib.sha256(pixels[1].tobytes()).hexdigest()])
    assert found is not None
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(found))), pixels[1])
    assert api.calls == []


def test_unusable_mnist_file_leaves_the_api(tmp_path: Path) -> None:
    assert ImageStore(Api().fetch, tmp_path / "none.npz").get(["a"]) == [b"a"]

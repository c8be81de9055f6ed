"""/images: a digest that is passed on, or rejected."""

from typing import Any, cast

import pytest

from inference.api.images import ImagesApi
from inference.errors import MalformedRequestError


class FakeOriginals:
    """Returns the digest of each call."""

    def get(self, digest: str) -> str:
        return digest


def test_get_image_passes_a_digest() -> None:
    api = ImagesApi(cast("Any", FakeOriginals()))
    assert cast("Any", api.get_image("0" * 64)) == "0" * 64


@pytest.mark.parametrize("digest", ["", "..", "0" * 63, "G" * 64])
def test_get_image_with_bad_digest_raises(digest: str) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        ImagesApi(cast("Any", FakeOriginals())).get_image(digest)
    assert raised.value.path == "image_digest"

"""Keys of originals: made from digest and media type, and read back from URLs."""

import pytest

from inference.originals.keys import EXTENSIONS, key_in, key_of, media_type_of, validate_keys

DIGEST = "ab" * 32


@pytest.mark.parametrize("media_type", EXTENSIONS)
def test_key_of_an_image_has_its_media_type(media_type: str) -> None:
    key = key_of(DIGEST, media_type)
    validate_keys([key])
    assert key.startswith(f"ab/{DIGEST}.")
    assert media_type_of(key) == media_type


def test_key_of_an_unknown_type_is_binary() -> None:
    assert media_type_of(key_of(DIGEST, "application/json")) == "application/octet-stream"


@pytest.mark.parametrize("url", ["s3://bucket/originals/v=1", "file:///srv/images"])
def test_key_in_a_url_is_its_end(url: str) -> None:
    key = key_of(DIGEST, "image/png")
    assert key_in(f"{url}/{key}") == key


def test_validate_keys_shows_a_part_of_a_long_key() -> None:
    with pytest.raises(ValueError, match="Invalid object key") as rejection:
        validate_keys(["x" * 10_000])
    assert len(str(rejection.value)) < 250

"""Keys of originals: made from digest and media type, and read back from URLs."""

import pytest

from inference.originals.keys import (
    EXTENSIONS,
    folder_of,
    is_listed,
    key_in,
    key_of,
    media_type_of,
    validate_keys,
    validate_names,
)

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


@pytest.mark.parametrize("name", ["a", "a/b.png", "3 (2)/\u00fc.png", "x" * 1024, "a\\b", "a..b"])
def test_listed_name_is_accepted(name: str) -> None:
    validate_names([name])
    assert is_listed(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "/a", "a/", "a//b", ".", "..", "a/../b", ".unfinished/x", "a/.b", "a\0b", "a\nb",
        "x" * 1025, "\u00fc" * 513, "not-utf-8-\udcff",
    ],
)  # fmt: skip
def test_name_outside_the_store_is_rejected(name: str) -> None:
    with pytest.raises(ValueError, match="Invalid object name"):
        validate_names(["a", name])


def test_folder_of_a_prefix_has_no_last_slash() -> None:
    assert [folder_of(prefix) for prefix in ("", "/", "a/b", "a/b/")] == ["", "", "a/b", "a/b"]
    with pytest.raises(ValueError, match="Invalid object name"):
        folder_of("../a/")

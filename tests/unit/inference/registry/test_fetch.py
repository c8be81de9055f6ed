"""Fetching of one version: only what is missing, and nothing that a digest does not confirm."""

import pytest

from inference.model_format.card import CARD_FILE, LITERT_FILE
from inference.model_format.robustness import ROBUSTNESS_FILE
from inference.registry.fetch import Fetched, fetch_version, key_text
from inference.registry.local_cache import MARKER_FILE, LocalCache, Marker
from inference.registry.versions import RefusedVersionError, read_listing
from tests.unit.inference.registry.conftest import LocalRegistry


def fetch(registry: LocalRegistry, before: Marker | None = None) -> Fetched:
    registry.models_dir.mkdir(exist_ok=True)
    version = read_listing(registry.bucket.list_objects()).versions["mine", 1]
    return fetch_version(registry.bucket, LocalCache(registry.models_dir), version, before)


def test_fetched_version_has_the_files_that_serving_needs(registry: LocalRegistry) -> None:
    folder = registry.add("mine/1")
    (folder / ROBUSTNESS_FILE).write_text("{}")
    fetched = fetch(registry)
    local = registry.models_dir / "mine" / "1"
    names = {CARD_FILE, LITERT_FILE, "reference.json", ROBUSTNESS_FILE}
    assert {path.name for path in local.iterdir()} == {*names, MARKER_FILE}
    assert all((local / name).read_bytes() == (folder / name).read_bytes() for name in names)
    assert fetched.bytes == sum((folder / name).stat().st_size for name in names)


def test_file_with_the_digest_of_the_card_is_not_fetched_again(registry: LocalRegistry) -> None:
    folder = registry.add("mine/1", b"x" * 10_000)
    before = fetch(registry)
    (folder / CARD_FILE).write_text((folder / CARD_FILE).read_text() + "\n")
    after = fetch(registry, before.marker)
    assert before.bytes > 10_000
    assert after.bytes == (folder / CARD_FILE).stat().st_size
    assert (registry.models_dir / "mine" / "1" / LITERT_FILE).read_bytes() == b"x" * 10_000


def test_local_file_that_was_damaged_is_fetched_again(registry: LocalRegistry) -> None:
    folder = registry.add("mine/1", b"x" * 10_000)
    before = fetch(registry)
    local = registry.models_dir / "mine" / "1" / LITERT_FILE
    local.write_bytes(b"y" * 10_000)
    (folder / CARD_FILE).write_text((folder / CARD_FILE).read_text() + "\n")
    assert fetch(registry, before.marker).bytes > 10_000
    assert local.read_bytes() == b"x" * 10_000


def test_wrong_digest_is_refused_and_keeps_the_earlier_content(registry: LocalRegistry) -> None:
    folder = registry.add("mine/1", b"right")
    before = fetch(registry)
    (folder / LITERT_FILE).write_bytes(b"wrong")
    (folder / "reference.json").write_bytes(b"{ ")
    (folder / "reference.json").write_bytes(b"{}")
    with pytest.raises(RefusedVersionError, match=r"model.tflite has the digest \w{64}, but"):
        fetch(registry)
    assert before.marker.files[LITERT_FILE].bytes == 5
    assert (registry.models_dir / "mine" / "1" / LITERT_FILE).read_bytes() == b"right"
    assert [path.name for path in registry.models_dir.iterdir()] == ["mine"]


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"files": {}}', "[" * 50_000, '{"a": NaN}'])
def test_card_that_is_not_valid_is_refused(registry: LocalRegistry, text: str) -> None:
    (registry.add("mine/1") / CARD_FILE).write_text(text)
    with pytest.raises(RefusedVersionError, match=r"card\.json"):
        fetch(registry)
    assert list(registry.models_dir.iterdir()) == []


def test_key_text_is_that_of_requests() -> None:
    assert key_text(("mine", 3)) == "mine@3"

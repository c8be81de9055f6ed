"""Local cache: only marked versions are replaced and removed, and they are verified at a start."""

from pathlib import Path

import pytest

from inference.model_format.card import LITERT_FILE, file_record
from inference.registry.local_cache import (
    INCOMING_PREFIX,
    MARKER_FILE,
    LocalCache,
    Marker,
    digest_of,
)
from inference.registry.versions import RefusedVersionError

KEY = ("mine", 3)


def install(cache: LocalCache, content: bytes = b"1", key: tuple[str, int] = KEY) -> Marker:
    marker = Marker({"a": [1, "e"]}, {LITERT_FILE: file_record(content)})
    with cache.incoming() as incoming:
        (incoming / LITERT_FILE).write_bytes(content)
        cache.install(key, incoming, marker)
    return marker


@pytest.fixture
def cache(tmp_path: Path) -> LocalCache:
    return LocalCache(tmp_path)


def test_installed_version_is_found_by_another_process(cache: LocalCache, tmp_path: Path) -> None:
    marker = install(cache)
    assert LocalCache(tmp_path).scan() == {KEY: marker}
    assert digest_of(tmp_path / "mine" / "3" / LITERT_FILE) == marker.files[LITERT_FILE].sha256


@pytest.mark.parametrize("damage", [b"2", b"12", b""])
def test_scan_finds_a_damaged_file(cache: LocalCache, tmp_path: Path, damage: bytes) -> None:
    install(cache)
    (tmp_path / "mine" / "3" / LITERT_FILE).write_bytes(damage)
    assert cache.scan() == {KEY: None}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 1}', '{"files": {"a": 1}}'])
def test_scan_finds_a_damaged_marker(cache: LocalCache, tmp_path: Path, text: str) -> None:
    install(cache)
    (tmp_path / "mine" / "3" / MARKER_FILE).write_text(text)
    assert cache.scan() == {KEY: None}


def test_scan_leaves_out_versions_of_the_user(cache: LocalCache, tmp_path: Path) -> None:
    (tmp_path / "own" / "1").mkdir(parents=True)
    (tmp_path / "own" / "1" / LITERT_FILE).write_bytes(b"1")
    (tmp_path / f"{INCOMING_PREFIX}killed").mkdir()
    assert cache.scan() == {}
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_install_replaces_a_mirrored_version(cache: LocalCache, tmp_path: Path) -> None:
    install(cache)
    install(cache, b"2")
    assert (tmp_path / "mine" / "3" / LITERT_FILE).read_bytes() == b"2"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("own", ["mine/3/model.keras", "mine/3/notes.txt", "mine"])
def test_install_keeps_what_the_user_has(cache: LocalCache, tmp_path: Path, own: str) -> None:
    (tmp_path / own).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / own).write_text("own")
    with pytest.raises(RefusedVersionError, match="has mine@3 already, and not from the registry"):
        install(cache)
    cache.remove(KEY)
    assert (tmp_path / own).read_text() == "own"


@pytest.mark.parametrize("own", ["mine/model.keras", "mine.keras"])
def test_install_does_not_hide_a_first_version(cache: LocalCache, tmp_path: Path, own: str) -> None:
    (tmp_path / own).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / own).write_text("own")
    with pytest.raises(RefusedVersionError, match="has mine@1 already"):
        install(cache, key=("mine", 1))
    install(cache, key=("mine", 2))


def test_install_does_not_follow_links(cache: LocalCache, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mine").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedVersionError):
        install(cache)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_remove_takes_the_folder_of_the_last_version(cache: LocalCache, tmp_path: Path) -> None:
    install(cache)
    install(cache, key=("mine", 4))
    cache.remove(KEY)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["4"]
    cache.remove(("mine", 4))
    assert list(tmp_path.iterdir()) == []


def test_lock_belongs_to_one_process(cache: LocalCache, tmp_path: Path) -> None:
    other = LocalCache(tmp_path)
    assert (cache.lock(), cache.lock(), other.lock()) == (True, True, False)
    cache.close()
    assert (other.lock(), other.is_locked, cache.is_locked) == (True, True, False)
    other.close()

"""A registry on a real S3 server: publishers at once, outages, restarts and hostile keys."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from moto.s3.responses import S3Response
from requests.structures import CaseInsensitiveDict

from inference.model_format.card import CARD_FILE, LITERT_FILE
from inference.registry import bucket as module
from inference.registry.bucket import Bucket, RegistryError
from inference.registry.mirror import Mirror
from inference.registry.publication import add_version
from tests.support.registry import S3Server, counted_reads, write_version


class Registry:
    """A registry below s3://BUCKET/team/models, and its mirrors."""

    def __init__(self, server: S3Server, name: str, folder: Path) -> None:
        self.server, self.name, self.models_dir = server, name, folder / "models"
        self.url = f"s3://{name}/team/models"
        self._mirrors: list[Mirror] = []

    def put(self, key: str, content: bytes) -> None:
        self.server.put(self.name, f"team/models/{key}", content)

    def put_all(self, key: str, folder: Path, *names: str) -> None:
        for name in names or (LITERT_FILE, "reference.json", CARD_FILE):
            self.put(f"{key}/{name}", (folder / name).read_bytes())

    def restart(self) -> Mirror:
        """Return the mirror of a new process."""
        self.close()
        self._mirrors.append(Mirror(self.url, self.models_dir, 2.0))
        return self._mirrors[-1]

    def close(self) -> None:
        for mirror in self._mirrors:
            mirror.close()

    def mirrored(self) -> list[str]:
        found = self.models_dir.glob("[!.]*/*")
        return sorted(str(path.relative_to(self.models_dir)) for path in found)


@pytest.fixture
def registry(server: S3Server, bucket: str, tmp_path: Path) -> Iterator[Registry]:
    registry = Registry(server, bucket, tmp_path)
    yield registry
    registry.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_version(tmp_path / "new", b"n" * 3000)


def test_three_publishers_at_once_get_three_versions(registry: Registry, folder: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        numbers = pool.map(lambda _: add_version(Bucket(registry.url), "mine", folder), range(3))
        assert sorted(numbers) == [1, 2, 3]
    mirror = registry.restart()
    assert mirror.poll()
    assert registry.mirrored() == ["mine/1", "mine/2", "mine/3"]


def test_server_that_ignores_the_condition_is_refused(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server does not see the condition."""
    put_object = S3Response.put_object

    def put_unconditionally(response: S3Response) -> Any:
        headers = CaseInsensitiveDict(response.headers)
        assert headers.pop("If-None-Match") == "*"
        response.headers = headers
        return put_object(response)

    monkeypatch.setattr(S3Response, "put_object", put_unconditionally)
    with pytest.raises(RegistryError, match=r"ignores the condition.*Nothing was published"):
        add_version(Bucket(registry.url), "mine", folder)
    assert [key for key, _ in Bucket(registry.url).list_objects()] == ["mine/1/.claim"]


def test_restart_reads_no_object_again(registry: Registry, folder: Path) -> None:
    for name in ("a", "b"):
        add_version(Bucket(registry.url), name, folder)
    with counted_reads() as reads:
        registry.restart().poll()
        assert len(reads) == 2 * 3  # card, network and reference of each
        reads.clear()
        second = registry.restart()
        assert second.poll()
        assert second.poll()
        assert reads == []
    assert (second.status.is_complete, second.status.versions) == (True, ["a@1", "b@1"])


def test_unconfirmed_versions_are_never_mirrored(
    registry: Registry, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry.put_all("first/1", folder, CARD_FILE)
    registry.put_all("truncated/1", folder)
    registry.put(f"truncated/1/{LITERT_FILE}", b"n" * 2999)
    registry.put_all("wrong/1", folder)
    registry.put(f"wrong/1/{LITERT_FILE}", b"m" * 3000)
    mirror = registry.restart()
    assert (mirror.poll(), mirror.poll()) == (True, True)
    assert registry.mirrored() == []
    refused = mirror.status.refused
    assert refused["first@1"].startswith("model.tflite is missing")
    assert refused["truncated@1"].startswith("model.tflite has 2999 bytes")
    assert refused["wrong@1"].startswith("model.tflite has the digest")
    assert len(refused) == 3
    assert sum("is refused" in message for message in caplog.messages) == 3
    for name in ("first", "truncated", "wrong"):
        registry.put_all(f"{name}/1", folder)
    mirror.poll()
    assert registry.mirrored() == ["first/1", "truncated/1", "wrong/1"]
    assert mirror.status.refused == {}


def test_bucket_away_and_back(
    registry: Registry, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "inference.registry")
    add_version(Bucket(registry.url), "mine", folder)
    mirror = registry.restart()
    mirror.poll()
    caplog.clear()
    registry.server.stop()
    try:
        assert [mirror.poll() for _ in range(2)] == [False, False]
        assert "S3 does not answer" in str(mirror.status.failure)
        assert registry.mirrored() == ["mine/1"]
        restarted = registry.restart()
        assert not restarted.poll()
        assert restarted.status.is_complete
    finally:
        registry.server.restart()
    add_version(Bucket(registry.url), "mine", folder)
    assert restarted.poll()
    assert registry.mirrored() == ["mine/1", "mine/2"]
    own = [record for record in caplog.records if record.name == "inference.registry.mirror"]
    assert [record.levelname for record in own] == ["WARNING", "WARNING", "INFO", "INFO"]


@pytest.mark.usefixtures("server")
def test_bucket_that_is_missing_is_explained() -> None:
    with pytest.raises(RegistryError, match=r"does not exist \(NoSuchBucket\).*MODELS_URL"):
        Bucket("s3://no-such-bucket/models").list_objects()
    with pytest.raises(RegistryError, match=r"Cannot write to.*NoSuchBucket"):
        Bucket("s3://no-such-bucket/models").create("a/1/.claim", b"")


@pytest.mark.parametrize(
    "key", ["../x/1/card.json", "./x/1/card.json", "/abs/1/card.json", "%2e%2e/1/card.json", "//"]
)
def test_hostile_key_before_all_models_is_not_seen(
    registry: Registry, folder: Path, key: str
) -> None:
    registry.put(key, b"{}")
    registry.put_all("mine/1", folder)
    mirror = registry.restart()
    assert mirror.poll()
    assert registry.mirrored() == ["mine/1"]


@pytest.mark.parametrize("key", ["x%2f../1/card.json", "x y/1/card.json", "x\\..\\y/1/card.json"])
def test_hostile_key_among_the_models_is_ignored(
    registry: Registry, folder: Path, tmp_path: Path, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    registry.put_all("mine/1", folder)
    registry.put(key, b"{}")
    mirror = registry.restart()
    assert mirror.poll()
    assert "1 objects that are not at NAME/VERSION/FILE" in caplog.text
    assert registry.mirrored() == ["mine/1"]
    assert {path.name for path in tmp_path.iterdir()} == {"models", "new"}


@pytest.mark.parametrize("key", ["b/1/../../../y", "b//1/card.json", "b/./1/card.json"])
def test_hostile_key_below_a_model_refuses_that_model_alone(
    registry: Registry, folder: Path, tmp_path: Path, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Such a key ends the listing of its model. What is mirrored of it stays."""
    for name in "abc":
        registry.put_all(f"{name}/1", folder)
    mirror = registry.restart()
    mirror.poll()
    registry.put(key, b"{}")
    registry.put_all("a/2", folder)
    registry.put_all("b/2", folder)
    registry.server.delete(registry.name, f"team/models/c/1/{CARD_FILE}")
    assert (mirror.poll(), mirror.poll()) == (True, True)
    assert registry.mirrored() == ["a/1", "a/2", "b/1"]
    reason = f"The object name 'team/models/{key}' is not valid. Remove the object."
    assert mirror.status.refused == {"b": reason}
    assert sum(reason in message for message in caplog.messages) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"models", "new"}
    registry.server.delete(registry.name, f"team/models/{key}")
    mirror.poll()
    assert (registry.mirrored(), mirror.status.refused) == (["a/1", "a/2", "b/1", "b/2"], {})


def test_large_file_is_read_in_parts(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 2**16)
    content = bytes(range(256)) * 1000  # four parts, the last one smaller
    add_version(Bucket(registry.url), "mine", write_version(tmp_path / "large", content))
    with counted_reads() as reads:
        assert registry.restart().poll()
    assert sum(path.endswith(LITERT_FILE) for path in reads) == 4
    assert (registry.models_dir / "mine" / "1" / LITERT_FILE).read_bytes() == content


def test_card_that_is_replaced_fetches_the_card_alone(registry: Registry, folder: Path) -> None:
    registry.put_all("mine/1", folder)
    mirror = registry.restart()
    mirror.poll()
    document = json.loads((folder / CARD_FILE).read_text())
    with counted_reads() as reads:
        registry.put("mine/1/card.json", json.dumps({**document, "task": "letters"}).encode())
        mirror.poll()
        assert [path.rpartition("/")[2] for path in reads] == [CARD_FILE]
    assert "letters" in (registry.models_dir / "mine" / "1" / CARD_FILE).read_text()

"""Mirror: the model directory follows the registry, and survives its absence."""

import logging
import shutil
import threading
import time
from pathlib import Path

import pytest

from inference.model_format.card import CARD_FILE, LITERT_FILE
from inference.registry import mirror as module
from inference.registry.mirror import Mirror
from inference.registry.mirror_status import MirrorReadiness, read_status
from tests.unit.inference.registry.conftest import LocalRegistry


def test_poll_brings_new_versions_and_removes_old_ones(registry: LocalRegistry) -> None:
    registry.add("a/1")
    registry.add("a/2")
    registry.add("b/7")
    mirror = registry.mirror()
    assert mirror.poll()
    assert registry.mirrored() == ["a/1", "a/2", "b/7"]
    registry.remove("a/1")
    (registry.root / "b" / "7" / CARD_FILE).unlink()
    registry.add("c/1")
    assert mirror.poll()
    assert registry.mirrored() == ["a/2", "c/1"]
    assert read_status(registry.models_dir) == mirror.status
    assert mirror.status.versions == ["a@2", "c@1"]


def test_poll_again_fetches_nothing(registry: LocalRegistry) -> None:
    registry.add("a/1")
    mirror = registry.mirror()
    mirror.poll()
    fetched = mirror.status.fetched_bytes
    mirror.poll()
    assert (mirror.status.fetched_bytes, mirror.status.fetched_versions) == (fetched, 1)


def test_version_that_another_program_removed_comes_back(registry: LocalRegistry) -> None:
    registry.add("a/1")
    mirror = registry.mirror()
    mirror.poll()
    shutil.rmtree(registry.models_dir / "a")
    mirror.poll()
    assert registry.mirrored() == ["a/1"]


def test_restart_fetches_only_what_is_damaged(registry: LocalRegistry) -> None:
    registry.add("a/1")
    registry.add("a/2")
    first = registry.mirror()
    first.poll()
    first.close()
    (registry.models_dir / "a" / "2" / LITERT_FILE).write_bytes(b"damaged")
    second = registry.mirror()
    second.poll()
    assert second.status.fetched_versions == 1
    assert (registry.models_dir / "a" / "2" / LITERT_FILE).read_bytes() == b"a network"


def test_refused_version_is_reported_once_until_it_changes(
    registry: LocalRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.add("good/1")
    tflite = registry.add("bad/1") / LITERT_FILE
    content = tflite.read_bytes()
    tflite.write_bytes(content[:-1])
    mirror = registry.mirror()
    assert (mirror.poll(), mirror.poll()) == (True, True)
    reason = "model.tflite has 8 bytes, but card.json records 9. Publish the model again."
    assert mirror.status.refused == {"bad@1": reason}
    assert [record for record in caplog.messages if "refused" in record] == [
        f"The model registry's bad@1 is refused. {reason}"
    ]
    assert registry.mirrored() == ["good/1"]
    tflite.write_bytes(content)
    mirror.poll()
    assert (mirror.status.refused, registry.mirrored()) == ({}, ["bad/1", "good/1"])


def test_card_that_comes_first_waits_for_its_files(registry: LocalRegistry) -> None:
    folder = registry.add("a/1")
    tflite = (folder / LITERT_FILE).read_bytes()
    (folder / LITERT_FILE).unlink()
    mirror = registry.mirror()
    mirror.poll()
    assert mirror.status.refused["a@1"].startswith("model.tflite is missing")
    assert registry.mirrored() == []
    (folder / LITERT_FILE).write_bytes(tflite)
    mirror.poll()
    assert registry.mirrored() == ["a/1"]


def test_registry_away_keeps_everything_and_is_logged_once(
    registry: LocalRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.add("a/1")
    mirror = registry.mirror()
    mirror.poll()
    caplog.set_level(logging.INFO)
    registry.root.rename(registry.root.with_name("away"))
    assert [mirror.poll() for _ in range(3)] == [False] * 3
    assert registry.mirrored() == ["a/1"]
    assert mirror.status.failed_polls == 3
    registry.root.with_name("away").rename(registry.root)
    assert mirror.poll()
    assert mirror.status.failure is None
    assert [message.split(".")[0] for message in caplog.messages] == [
        "The model registry cannot be used",
        "The model registry can be used again",
    ]


def test_registry_without_a_version_removes_nothing(registry: LocalRegistry) -> None:
    registry.add("a/1")
    mirror = registry.mirror()
    mirror.poll()
    registry.remove("a")
    assert not mirror.poll()
    assert "has no version. The 1 mirrored versions stay" in str(mirror.status.failure)
    assert registry.mirrored() == ["a/1"]


def test_start_without_the_registry_is_complete_with_a_full_cache(registry: LocalRegistry) -> None:
    registry.add("a/1")
    first = registry.mirror()
    first.poll()
    first.close()
    registry.root.rename(registry.root.with_name("away"))
    second = registry.mirror()
    second.poll()
    assert (second.status.is_complete, second.status.versions) == (True, ["a@1"])
    readiness = MirrorReadiness(registry.models_dir, registry.url)
    assert readiness.document({"a@1"})["status"] == "failing"
    second.close()
    (registry.models_dir / "a" / "1" / LITERT_FILE).unlink()
    third = registry.mirror()
    third.poll()
    assert (third.status.is_complete, third.status.versions) == (False, [])


def test_first_mirror_that_is_interrupted_is_not_complete(registry: LocalRegistry) -> None:
    registry.add("a/1")
    mirror, stopping = registry.mirror(), threading.Event()
    stopping.set()
    assert mirror.poll(stopping)
    assert not mirror.status.is_complete
    assert registry.mirrored() == []


def test_directory_of_another_mirror_is_left_to_it(registry: LocalRegistry) -> None:
    registry.add("a/1")
    first, second = registry.mirror(), registry.mirror()
    first.poll()
    registry.add("a/2")
    assert second.poll()
    assert registry.mirrored() == ["a/1"]
    assert second.status.fetched_versions == 0


def test_model_directory_that_cannot_be_written_is_reported(
    registry: LocalRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.models_dir.write_text("a file")
    mirror = registry.mirror()
    assert (mirror.poll(), mirror.poll()) == (False, False)
    assert len(caplog.messages) == 1
    assert "Cannot write to the model directory" in caplog.messages[0]


def test_unexpected_error_does_not_end_the_mirror(
    registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = registry.mirror()
    monkeypatch.setattr(module, "read_listing", lambda _: 1 / 0)
    assert not mirror.poll()
    assert mirror.status.failure == "The mirror failed: ZeroDivisionError: division by zero"


def test_run_backs_off_while_the_registry_is_away(tmp_path: Path) -> None:
    mirror, waits = Mirror(f"file://{tmp_path}/away", tmp_path / "models", 2.0), []

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            if len(waits) == 6:
                self.set()
            return self.is_set()

    mirror.run(Stopping())
    assert waits == [4, 8, 16, 30, 30, 30]


def test_start_mirrors_until_it_is_stopped(registry: LocalRegistry) -> None:
    registry.add("a/1")
    stopping = threading.Event()
    thread = module.start(registry.url, registry.models_dir, 0.1, stopping)
    deadline = time.monotonic() + 10
    while registry.mirrored() != ["a/1"] and time.monotonic() < deadline:
        time.sleep(0.02)
    stopping.set()
    thread.join(10)
    assert (registry.mirrored(), thread.is_alive()) == (["a/1"], False)

"""Mirror status: what a worker says about the registry, from a file."""

from dataclasses import replace
from pathlib import Path

import pytest

from inference.registry.mirror_status import (
    STATUS_FILE,
    MirrorReadiness,
    MirrorStatus,
    StatusWriter,
    read_status,
)

URL = "s3://bucket/models"
STATUS = MirrorStatus(URL, is_complete=True, versions=["a@1"], last_success_at=1.0)


@pytest.fixture
def readiness(tmp_path: Path) -> MirrorReadiness:
    return MirrorReadiness(tmp_path, f"{URL}/")


def write(folder: Path, status: MirrorStatus) -> None:
    StatusWriter(folder).write(status)


@pytest.mark.parametrize("text", ["", "{}", "[]", "1", '{"unknown": 1}'])
def test_unreadable_status_is_none(tmp_path: Path, text: str) -> None:
    assert read_status(tmp_path) is None
    (tmp_path / STATUS_FILE).write_text(text)
    assert read_status(tmp_path) is None


def test_writer_writes_times_alone_rarely(tmp_path: Path) -> None:
    writer = StatusWriter(tmp_path)
    writer.write(STATUS)
    writer.write(replace(STATUS, last_success_at=2.0))
    assert read_status(tmp_path) == STATUS
    writer.write(replace(STATUS, last_success_at=3.0, failed_polls=1))
    assert read_status(tmp_path) == replace(STATUS, last_success_at=3.0, failed_polls=1)


def test_writer_survives_a_missing_directory(tmp_path: Path) -> None:
    StatusWriter(tmp_path / "missing").write(STATUS)


def test_readiness_before_the_first_poll_is_starting(
    tmp_path: Path, readiness: MirrorReadiness
) -> None:
    assert readiness.document(set()) == {
        "status": "starting",
        "detail": "The registry has not been read yet.",
    }
    write(tmp_path, replace(STATUS, url="s3://other/models"))
    assert readiness.document({"a@1"})["status"] == "starting"


def test_readiness_waits_for_the_first_complete_mirror(
    tmp_path: Path, readiness: MirrorReadiness
) -> None:
    write(tmp_path, replace(STATUS, is_complete=False))
    assert readiness.document({"a@1"}) == {
        "status": "starting",
        "detail": "The versions of the registry are being copied.",
        "versions": 1,
        "refused": 0,
    }
    write(tmp_path, replace(STATUS, is_complete=False, failure="S3 does not answer."))
    assert readiness.document({"a@1"})["detail"] == "S3 does not answer."


def test_readiness_waits_once_until_the_worker_has_the_versions(
    tmp_path: Path, readiness: MirrorReadiness
) -> None:
    write(tmp_path, STATUS)
    assert readiness.document(set())["detail"] == "1 versions of the registry are not loaded yet."
    assert readiness.document({"a@1"}) == {"status": "ok", "versions": 1, "refused": 0}
    assert readiness.document(set())["status"] == "ok"


def test_readiness_reports_failures_and_refused_versions(
    tmp_path: Path, readiness: MirrorReadiness
) -> None:
    reasons = {f"b@{number}": "Truncated." for number in range(1, 8)}
    write(tmp_path, replace(STATUS, refused=reasons))
    document = readiness.document({"a@1"})
    assert (document["status"], document["refused"]) == ("partial", 7)
    assert document["detail"].startswith("Refused b@1: Truncated. Refused b@2: Truncated.")
    assert document["detail"].count("Refused") == 5
    write(tmp_path, replace(STATUS, refused=reasons, failure="S3 does not answer."))
    assert readiness.document({"a@1"})["status"] == "failing"


def test_readiness_names_a_directory_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    detail = MirrorReadiness(tmp_path, URL).document(set())["detail"]
    assert detail.endswith("Set MODELS_DIR to a writable directory.")

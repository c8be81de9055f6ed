"""Backlog: bounded memory, order, and what was acknowledged."""

from pathlib import Path

import pytest
from ml_ops_starter_client.backlog import Backlog
from ml_ops_starter_client.records import Change, Entries, Point
from ml_ops_starter_client.spool import Header

HEADER = Header("http://localhost:9090", {"run_id": "a" * 32, "name": "run"})


def point(step: int) -> Entries:
    return Entries([Point("loss", step, float(step), step)])


def drain(backlog: Backlog) -> list[int | str]:
    """Return the steps and changes in the order in which they would be sent."""
    found: list[int | str] = []
    while (batch := backlog.next_batch()) is not None:
        if isinstance(batch.record, Change):
            found += batch.record.fields
        else:
            found += [point.step for point in batch.record.points]
        backlog.acknowledge(batch)
    return found


def test_batch_joins_points_up_to_a_change(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path / "run.jsonl", HEADER)
    for record in (point(0), point(1), Change({"note": "x"}), point(2)):
        backlog.append(record)
    assert len(backlog) == 4
    first = backlog.next_batch()
    assert first is not None
    assert isinstance(first.record, Entries)
    assert [found.step for found in first.record.points] == [0, 1]
    assert drain(backlog) == [0, 1, "note", 2]
    assert len(backlog) == 0


def test_memory_beyond_its_limit_moves_to_the_disk_in_order(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path / "run.jsonl", HEADER, max_memory_points=10)
    for step in range(25):
        backlog.append(point(step))
    assert (tmp_path / "run.jsonl").exists()
    assert len(backlog) == 25
    assert drain(backlog) == list(range(25))
    assert not (tmp_path / "run.jsonl").exists()


def test_records_stored_while_they_are_sent_are_sent_once(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path / "run.jsonl", HEADER)
    backlog.append(point(0))
    batch = backlog.next_batch()
    backlog.append(Change({"note": "x"}))
    backlog.store()
    backlog.append(point(1))
    assert batch is not None
    backlog.acknowledge(batch)
    assert len(backlog) == 2
    assert drain(backlog) == ["note", 1]


def test_unwritable_disk_drops_the_oldest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    backlog = Backlog(tmp_path / "file" / "run.jsonl", HEADER, max_memory_points=10)
    for step in range(25):
        backlog.append(point(step))
    assert len(backlog) == 10
    assert drain(backlog) == list(range(15, 25))
    assert [record.message for record in caplog.records if "MLOPS_SPOOL_DIR" in record.message]
    assert len(caplog.records) == 1


def test_same_parameter_twice_makes_two_batches(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path / "run.jsonl", HEADER)
    backlog.append(Entries((), {"lr": 1}))
    backlog.append(Entries((), {"lr": 2}))
    first = backlog.next_batch()
    assert first is not None
    assert first.record == Entries([], {"lr": 1}, {})

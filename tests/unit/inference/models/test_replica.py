"""Replica: the same one after a restart, another one after a stop or on another port."""

from pathlib import Path

import pytest

from inference.models.replica import REPLICA_VARIABLE, Replica


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REPLICA_VARIABLE, raising=False)


def line(replica: Replica) -> bytes:
    return b'{"replica": {"id": "%b"}, "states": []}\n' % replica.id.encode()


def test_killed_service_is_the_same_replica_after_its_restart(tmp_path: Path) -> None:
    first = Replica.find(tmp_path, 9090)
    first.keep(line(first))
    assert Replica.find(tmp_path, 9090) == first
    assert Replica.find(tmp_path, 9091).id != first.id
    assert first.read() == line(first)


def test_states_of_an_earlier_run_do_not_count(tmp_path: Path) -> None:
    first = Replica.find(tmp_path, 9090)
    first.keep(line(first))
    again = Replica.find(tmp_path, 9090)
    again.start()
    assert again.read() is None
    assert Replica.find(tmp_path, 9090) == first


def test_stopped_service_is_another_replica(tmp_path: Path) -> None:
    first = Replica.find(tmp_path, 9090)
    first.keep(line(first))
    first.forget()
    assert list(tmp_path.iterdir()) == []
    assert Replica.find(tmp_path, 9090).id != first.id


def test_processes_of_a_service_are_one_replica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when another program has removed the file."""
    parent = Replica.find(tmp_path, 9090)
    monkeypatch.setenv(REPLICA_VARIABLE, parent.id)
    assert Replica.find(tmp_path, 9090) == parent


@pytest.mark.parametrize("content", [b"", b"[]", b'{"replica": {"id": "1"}}', b'{"replica": 1}'])
def test_damaged_file_is_ignored(tmp_path: Path, content: bytes) -> None:
    replica = Replica.find(tmp_path, 9090)
    replica.keep(content)
    assert Replica.find(tmp_path, 9090).id != replica.id


def test_unwritable_directory_costs_only_the_file(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")
    replica = Replica.find(tmp_path / "journal", 9090)
    replica.keep(line(replica))
    assert replica.read() is None
    replica.forget()

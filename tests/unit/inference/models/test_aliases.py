"""Aliases: targets from the file, and moves that the file does not have yet."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from inference.models import aliases
from inference.models.aliases import ALIASES_FILE, Aliases, Target, read_aliases
from tests.unit.inference.conftest import eventually

CHAMPION = ("mnist", "champion")
FIRST, SECOND = Target("a", 1, event_id=1), Target("b", 2, event_id=2)


def write(path: Path, **targets: Target) -> None:
    """Write an alias file for the task mnist."""
    rows = [{"task": "mnist", "alias": name, **asdict(target)} for name, target in targets.items()]
    path.write_text(json.dumps({"aliases": rows}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ALIASES_FILE


def test_targets_are_empty_until_the_file_exists(path: Path) -> None:
    followed = Aliases(path)
    followed.start()
    try:
        assert followed.targets() == {}
        write(path, champion=FIRST)
        eventually(lambda: followed.targets() == {CHAMPION: FIRST})
    finally:
        followed.close()


def test_start_reads_the_file_and_close_ends_the_thread(path: Path) -> None:
    write(path, champion=FIRST)
    followed = Aliases(path)
    followed.start()
    targets = followed.targets()
    followed.close()
    assert (targets, followed._thread.is_alive()) == ({CHAMPION: FIRST}, False)


def test_close_without_start_returns(path: Path) -> None:
    Aliases(path).close()


def test_unchanged_file_is_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, champion=FIRST)
    followed = Aliases(path)
    followed._refresh()
    monkeypatch.setattr(aliases, "read_aliases", lambda _path: {})
    followed._refresh()
    assert followed.targets() == {CHAMPION: FIRST}


def test_aliases_of_returns_those_of_one_version(path: Path) -> None:
    write(path, stable=FIRST, champion=FIRST, next=SECOND)
    followed = Aliases(path)
    followed._refresh()
    assert followed.aliases_of("a", 1) == ["champion", "stable"]
    assert followed.aliases_of("a", 2) == []


def test_record_move_precedes_an_older_file(path: Path) -> None:
    followed = Aliases(path)
    followed.record_move(*CHAMPION, SECOND)
    assert followed.targets() == {CHAMPION: SECOND}
    write(path, champion=FIRST)
    followed._refresh()
    assert followed.targets() == {CHAMPION: SECOND}
    write(path, champion=Target("c", 3, event_id=3))
    followed._refresh()
    assert followed.targets()[CHAMPION].experiment_name == "c"


def test_record_move_is_forgotten_once_the_file_has_it(path: Path) -> None:
    followed = Aliases(path)
    followed.record_move(*CHAMPION, SECOND)
    write(path, champion=SECOND)
    followed._refresh()
    write(path)
    followed._refresh()
    assert followed.targets() == {}


def test_record_move_is_forgotten_after_the_precedence_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = Aliases(path)
    followed.record_move(*CHAMPION, SECOND)
    monkeypatch.setattr(aliases, "MOVE_PRECEDENCE_SECONDS", -1.0)
    write(path, champion=FIRST)
    followed._refresh()
    assert followed.targets() == {CHAMPION: FIRST}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"aliases": [{}]}', '{"aliases": 3}'])
def test_broken_file_keeps_the_targets(path: Path, content: str) -> None:
    write(path, champion=FIRST)
    followed = Aliases(path)
    followed._refresh()
    path.write_text(content)
    followed._refresh()
    assert followed.targets() == {CHAMPION: FIRST}
    with pytest.raises((ValueError, TypeError, KeyError)):
        read_aliases(path)

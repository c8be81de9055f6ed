"""The command `send`: what earlier runs kept, once, with a line per run."""

from pathlib import Path

import ml_ops_starter_client as client
import pytest
from ml_ops_starter_client.__main__ import main

from tests.support.fake_tracking import FakeTracking


def keep(service: FakeTracking, name: str) -> None:
    """Leave a spool file of a run."""
    service.stop()
    run = client.start(name, lr=1)
    for step in range(12_000):
        run.log(step, loss=step)
    run.finish(seconds=0)
    service.start()


def test_send_stores_everything_once_and_removes_the_file(
    service: FakeTracking, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(service, "kept")
    assert main(["send"]) == 0
    assert capsys.readouterr().out == "kept: 12002 records sent\n"
    stored = service.run("kept")
    assert stored.values("loss") == list(range(12_000))
    assert (stored.params, stored.document["state"]) == ({"lr": 1}, "finished")
    assert list(spool.iterdir()) == []
    assert main(["send"]) == 0
    assert "Nothing to send" in capsys.readouterr().out


def test_send_to_a_service_that_is_away_keeps_the_file(
    service: FakeTracking, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(service, "kept")
    service.outage = (503, {})
    assert main(["send"]) == 1
    assert "The database is away." in capsys.readouterr().err
    assert len(list(spool.glob("*.jsonl"))) == 1


def test_send_with_url_leaves_files_of_other_services(
    service: FakeTracking, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(service, "kept")
    assert main(["send", "--url", "http://127.0.0.1:1"]) == 0
    assert "Nothing to send" in capsys.readouterr().out
    assert len(list(spool.glob("*.jsonl"))) == 1


def test_send_of_a_refused_run_puts_the_file_aside(
    service: FakeTracking, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(service, "kept")
    service.refuse = lambda *_: (422, "There is no such task.")
    assert main(["send"]) == 1
    assert "There is no such task." in capsys.readouterr().err
    assert [path.suffix for path in spool.iterdir()] == [".refused"]


def test_send_names_a_file_that_is_not_its_own(
    service: FakeTracking, spool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert service.runs == {}
    spool.mkdir()
    (spool / "notes.jsonl").write_text("mine\n")
    assert main(["send"]) == 1
    assert "not a spool file" in capsys.readouterr().err
    assert (spool / "notes.jsonl").exists()

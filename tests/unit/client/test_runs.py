"""Runs: everything that is logged is stored once, whatever happens to the service."""

import gc
import logging
import math
import os
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import ml_ops_starter_client as client
import numpy as np
import pytest
from ml_ops_starter_client import sender

from tests.support.fake_tracking import Document, FakeTracking


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_run_with_metrics_params_tags_and_note_is_stored(service: FakeTracking) -> None:
    with client.start(
        "lenet", project="digits", task="mnist", tags={"gpu": 1}, owner="me", lr=0.1, layers=[3, 4]
    ) as run:
        run.log(0, loss=0.5, accuracy=np.float32(0.25))
        run.log(1, {"val/loss": np.array([0.75])}, loss=math.nan)
        run.tag(dataset="mnist")
        run.tag(gpu=None)
        run.note("**good**")
    stored = service.run("lenet")
    assert stored.params == {"lr": 0.1, "layers": "[3, 4]"}
    assert stored.tags == {"dataset": "mnist"}
    assert stored.values("accuracy") == [0.25]
    assert stored.values("val/loss") == [0.75]
    assert [str(value) for value in stored.values("loss")] == ["0.5", "nan"]
    document = stored.document
    assert (document["state"], document["note"], document["owner"]) == (
        "finished",
        "**good**",
        "me",
    )
    assert (document["project"], document["task"]) == ("digits", "mnist")
    assert document["started_at"] <= document["ended_at"]
    assert run.run_id == document["run_id"]


def test_log_without_step_counts_on(service: FakeTracking) -> None:
    with client.start("steps") as run:
        run.log(loss=3)
        run.log({"loss": 2})
        run.log(step=np.int64(7), loss=1)
        run.log(loss=0)
    steps = sorted(step for _, step, _, _ in service.run("steps").points)
    assert steps == [0, 1, 7, 8]


def test_values_of_one_step_keep_their_order(service: FakeTracking) -> None:
    with client.start("same_step") as run:
        for value in (3, 1, 2):
            run.log(0, loss=value)
    assert service.run("same_step").values("loss") == [3, 1, 2]


def test_log_with_unusable_value_warns_once(
    service: FakeTracking, caplog: pytest.LogCaptureFixture
) -> None:
    with client.start("values") as run:
        for _ in range(3):
            run.log(loss=None, accuracy=Fraction(1, 2))
            run.log(1.5, accuracy=1)
    assert service.run("values").values("accuracy") == [0.5] * 3
    messages = warnings(caplog)
    assert len(messages) == 2
    assert "metric loss: NoneType is not a number" in messages[0]
    assert "step 1.5 is not a whole number" in messages[1]


def test_start_with_taken_name_takes_the_name_of_the_service(service: FakeTracking) -> None:
    first, second = client.start("same"), client.start("same")
    assert (first.name, second.name) == ("same", "same_2")
    first.finish()
    second.finish()
    assert service.run("same_2").document["state"] == "finished"


@pytest.mark.parametrize("name", ["", "with space", "_x", "a/b", "a" * 129])
def test_start_with_invalid_name_raises(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a run"):
        client.start(name)


def test_start_sends_the_key_and_an_own_name(
    service: FakeTracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_API_KEY", "secret")
    monkeypatch.setattr("sys.argv", ["/somewhere/train_lenet.py"])
    run = client.start(url=service.url + "/")
    run.finish()
    assert run.name.startswith("train_lenet_20")
    assert all(headers["X-API-Key"] == "secret" for *_, headers in service.requests)


@pytest.mark.parametrize(
    ("error", "state"),
    [(ValueError, "failed"), (KeyboardInterrupt, "killed"), (SystemExit, "finished")],
)
def test_with_and_exception_sets_the_state(
    service: FakeTracking, error: type[BaseException], state: str
) -> None:
    with pytest.raises(error), client.start("ends"):
        raise error
    assert service.run("ends").document["state"] == state


def test_service_away_keeps_every_point_once(
    service: FakeTracking, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = client.start("outage")
    run.log(0, loss=0)
    eventually(lambda: len(service.run("outage").points) == 1)
    service.stop()
    for step in range(1, 3_000):
        run.log(step, loss=step)
    eventually(lambda: len(list(spool.glob("*.jsonl"))) == 1)
    service.start()
    run.log(3_000, loss=3_000)
    eventually(lambda: len(service.run("outage").points) == 3_001)
    run.finish()
    assert service.run("outage").values("loss") == list(range(3_001))
    assert list(spool.iterdir()) == []
    messages = warnings(caplog)
    assert len(messages) == 2
    assert "kept on this machine" in messages[0]
    assert "all kept records are sent" in messages[1]


def test_service_away_from_the_start_names_the_run_later(service: FakeTracking) -> None:
    service.stop()
    started = time.monotonic()
    run = client.start("early", lr=1)
    assert time.monotonic() - started < 2
    run.log(0, loss=1)
    service.start()
    eventually(lambda: bool(service.runs))
    run.finish()
    assert service.run("early").values("loss") == [1]
    assert service.run("early").params == {"lr": 1}


def test_lost_answers_store_every_point_once(service: FakeTracking) -> None:
    service.loses_answers = 3
    with client.start("lost") as run:
        for step in range(50):
            run.log(step, loss=step)
    assert service.run("lost").values("loss") == list(range(50))
    assert len(service.runs) == 1
    assert service.run("lost").document["state"] == "finished"


def test_finish_while_away_keeps_records_for_the_next_start(
    service: FakeTracking, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = client.start("later")
    service.outage = (503, {"Retry-After": "60"})
    for step in range(20):
        run.log(step, loss=step)
    started = time.monotonic()
    run.finish(seconds=0.2)
    assert time.monotonic() - started < 5
    files = list(spool.glob("*.jsonl"))
    assert [path.stem for path in files] == [run.run_id]
    assert str(files[0]) in warnings(caplog)[-1]
    service.outage = None
    client.start("next").finish()
    eventually(lambda: not list(spool.iterdir()))
    stored = service.run("later")
    assert stored.values("loss") == list(range(20))
    assert stored.document["state"] == "finished"


def test_retry_after_is_waited_for(service: FakeTracking) -> None:
    run = client.start("patient")
    service.outage = (503, {"Retry-After": "1"})
    run.log(0, loss=0)
    eventually(lambda: service.requests[-1][1].endswith("/points"))
    count = len(service.requests)
    time.sleep(0.5)
    assert len(service.requests) == count
    service.outage = None
    eventually(lambda: len(service.run("patient").points) == 1)
    run.finish()


def test_refused_metric_is_dropped_alone(
    service: FakeTracking, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_method: str, _path: str, body: Document) -> tuple[int, str] | None:
        metrics = {point["metric"] for point in body.get("points", [])}
        return (422, "The name is too long.") if "bad" in metrics else None

    service.refuse = refuse
    with client.start("refused", lr=1) as run:
        for step in range(10):
            run.log(step, loss=step, bad=step)
    assert service.run("refused").values("loss") == list(range(10))
    assert service.run("refused").params == {"lr": 1}
    assert service.run("refused").document["state"] == "finished"
    assert warnings(caplog) == ["Run refused: metric bad is not stored. The name is too long."]


def test_refused_run_warns_and_goes_on(
    service: FakeTracking, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service.refuse = lambda *_: (422, "There is no such task.")
    with client.start("refused", task="none") as run:
        run.log(0, loss=1)
    assert service.runs == {}
    assert not list(spool.glob("*"))
    assert len(warnings(caplog)) == 1
    assert "There is no such task." in warnings(caplog)[0]


def test_rejected_key_keeps_the_records(service: FakeTracking, spool: Path) -> None:
    service.refuse = lambda *_: (401, "The key is unknown.")
    run = client.start("keyless")
    run.log(0, loss=1)
    run.finish(seconds=0)
    assert len(list(spool.glob("*.jsonl"))) == 1


def test_lost_run_is_created_again(service: FakeTracking) -> None:
    run = client.start("restored", lr=1)
    eventually(lambda: bool(service.run("restored").params))
    service.runs.clear()
    run.log(0, loss=1)
    run.finish()
    assert service.run("restored").values("loss") == [1]


def test_second_value_of_a_parameter_warns(
    service: FakeTracking, caplog: pytest.LogCaptureFixture
) -> None:
    with client.start("params", lr=1) as run:
        run.log_params(lr=1, batch=32)
        run.log_params({"lr": 2})
    assert service.run("params").params == {"lr": 1, "batch": 32}
    assert warnings(caplog) == ["Run params: parameter lr keeps its first value."]


def test_log_after_the_end_warns(service: FakeTracking, caplog: pytest.LogCaptureFixture) -> None:
    run = client.start("over")
    run.finish()
    run.finish()
    run.log(0, loss=1)
    assert service.run("over").points == {}
    assert len(warnings(caplog)) == 1


def test_log_from_many_threads_stores_every_point(service: FakeTracking) -> None:
    with client.start("threads") as run:

        def log(name: str) -> None:
            for step in range(500):
                run.log(step, {name: step})

        threads = [threading.Thread(target=log, args=[f"loss_{i}"]) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    stored = service.run("threads")
    assert all(stored.values(f"loss_{number}") == list(range(500)) for number in range(8))


def test_dropped_run_is_ended(service: FakeTracking) -> None:
    run = client.start("dropped")
    run.log(0, loss=1)
    del run
    gc.collect()
    eventually(lambda: service.run("dropped").document["state"] == "finished")
    assert service.run("dropped").values("loss") == [1]


def test_quiet_run_is_kept_alive(service: FakeTracking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "KEEP_ALIVE_SECONDS", 0.05)
    run = client.start("quiet")
    eventually(lambda: service.requests[-1][2].get("points") == [])
    run.finish()
    assert service.run("quiet").points == {}


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_process_logs_and_does_not_end_the_run(service: FakeTracking) -> None:
    run = client.start("forked")
    for step in range(100):
        run.log(step, loss=step)
    process = os.fork()
    if process == 0:
        run.log(100, loss=100)
        run.finish()
        os._exit(0)
    assert os.waitpid(process, 0)[1] == 0
    assert service.run("forked").document["state"] == "running"
    run.log(101, loss=101)
    run.finish()
    assert service.run("forked").values("loss") == list(range(102))
    assert service.run("forked").document["state"] == "finished"


def test_log_never_waits_for_a_hung_service(service: FakeTracking) -> None:
    run = client.start("hung")
    release = threading.Event()

    def hang(*_: object) -> None:
        release.wait(5)

    service.refuse = hang
    started = time.monotonic()
    for step in range(20_000):
        run.log(step, loss=step)
    elapsed = time.monotonic() - started
    release.set()
    run.finish()
    assert elapsed < 2
    assert service.run("hung").values("loss") == list(range(20_000))

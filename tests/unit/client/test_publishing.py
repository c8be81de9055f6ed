"""Publishing: the uploaded form, the run that is followed, and the state that the service tells."""

import json
import re
from pathlib import Path

import ml_ops_starter_client as client
import pytest
from ml_ops_starter_client import publishing

from tests.support.fake_tracking import FakeTracking

NO_WORKER = "No worker of the pipeline has been seen for 2 minutes."
SENTENCE = "Published as version 3 of mine. Its experiment is new."
OUTPUTS = {"version": 3, "published": "now", "sentence": SENTENCE}


class FakeModel:
    """A model that Keras would save."""

    def save(self, path: Path) -> None:
        path.write_bytes(b"model")


def state(name: str, reason: str | None = None, no_worker: str | None = None) -> dict[str, object]:
    return {"run_id": 7, "state": name, "reason": reason, "no_worker": no_worker}


@pytest.fixture(autouse=True)
def pipeline(service: FakeTracking, monkeypatch: pytest.MonkeyPatch) -> FakeTracking:
    """A service that publishes as version 3 of mine."""
    monkeypatch.setattr(publishing, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(publishing, "SERVED_SECONDS", 0.05)
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    service.answers["/models/mine"] = {"run_id": 7, "joined": False, **state("QUEUED")}
    service.answers["/runs/7"] = [state("QUEUED"), state("RUNNING"), state("SUCCEEDED")]
    service.answers["/runs/7/steps"] = {
        "steps": [
            {"name": "publish", "state": "FAILED", "outputs": None},
            {"name": "publish", "state": "SUCCEEDED", "outputs": OUTPUTS},
        ]
    }
    service.answers["/models/mine/versions/3"] = {"state": "READY", "reason": None}
    return service


def fields(service: FakeTracking) -> dict[str, str]:
    """Return the fields of the form that was uploaded, and the name of its file."""
    [content] = [body["content"] for method, path, body, _ in service.requests if "/models" in path
                 and method == "POST"]  # fmt: skip
    found = dict(re.findall(r'name="(\w+)"\r\n\r\n(.*?)\r\n', content))
    [found["file_name"]] = re.findall(r'filename="(.*?)"', content)
    return found


def test_publish_uploads_model_and_card_and_returns_version(pipeline: FakeTracking) -> None:
    run = client.start("mine", lr=0.1)
    published = client.publish(
        FakeModel(), run=run, test_accuracy=0.98, card={"task": "mnist"}, reason="A try."
    )
    run.finish()
    assert published == client.Published(
        name="mine", version=3, is_new=True, run_id=7, sentence=SENTENCE, state="READY"
    )
    form = fields(pipeline)
    assert json.loads(form.pop("card")) == {
        "task": "mnist",
        "metrics": {"test_accuracy": 0.98},
        "config": {"lr": 0.1},
    }
    assert form == {"by": "ann", "reason": "A try.", "force": "false", "file_name": "model.keras"}


def test_publish_of_a_path_sends_the_file_with_its_name(
    pipeline: FakeTracking, tmp_path: Path
) -> None:
    (tmp_path / "lenet.zip").write_bytes(b"zip")
    client.publish(tmp_path / "lenet.zip", "mine", force=True, owner="bob")
    form = fields(pipeline)
    assert form.pop("reason")
    assert form == {"by": "bob", "force": "true", "file_name": "lenet.zip"}


@pytest.mark.parametrize("end", ["FAILED", "CANCELLED"])
def test_publish_raises_with_the_reason_of_the_pipeline(pipeline: FakeTracking, end: str) -> None:
    pipeline.answers["/runs/7"] = state(end, "publish: The model reads 9 of 200 digits.")
    with pytest.raises(client.PublishError, match=rf"Run 7 .* {end}\. The model reads 9 of 200"):
        client.publish(FakeModel(), "mine")


def test_publish_without_worker_warns_and_ends_in_time(
    pipeline: FakeTracking, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.answers["/runs/7"] = state("QUEUED", no_worker=NO_WORKER)
    with pytest.raises(client.PublishError, match=f"QUEUED after 0 seconds .*{NO_WORKER}"):
        client.publish(FakeModel(), "mine", wait_seconds=0.05)
    assert [record.message for record in caplog.records] == [
        f"Run 7 of the pipeline is waiting. {NO_WORKER}"
    ]


def test_publish_follows_the_run_through_an_outage(pipeline: FakeTracking) -> None:
    refusals = iter([(503, "The database is away."), None, None])
    pipeline.refuse = lambda _, path, _body: next(refusals, None) if path == "/runs/7" else None
    assert client.publish(FakeModel(), "mine").version == 3


def test_publish_waits_until_the_version_is_served(pipeline: FakeTracking) -> None:
    path = "/models/mine/versions/3"
    pipeline.answers[path] = {"state": "LOADING", "reason": None}
    assert client.publish(FakeModel(), "mine").state == "LOADING"
    pipeline.answers[path] = {"state": "FAILED", "reason": "model.tflite is damaged."}
    with pytest.raises(client.PublishError, match="does not serve mine@3"):
        client.publish(FakeModel(), "mine")
    del pipeline.answers[path]
    with pytest.raises(client.PublishError, match="does not list it"):
        client.publish(FakeModel(), "mine")


def test_publish_that_is_refused_raises_the_problem(pipeline: FakeTracking) -> None:
    pipeline.refuse = lambda method, *_: (
        (413, "The file is too large.") if method == "POST" else None
    )
    with pytest.raises(client.ApiProblemError, match="too large"):
        client.publish(FakeModel(), "mine")


@pytest.mark.parametrize("name", [None, "a/b", "x.keras"])
def test_publish_with_invalid_name_raises(pipeline: FakeTracking, name: str | None) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a model"):
        client.publish(FakeModel(), name)
    assert pipeline.requests == []


def test_publish_of_invalid_input_sends_nothing(pipeline: FakeTracking, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Write 98"):
        client.publish(FakeModel(), "mine", test_accuracy=98.5)
    with pytest.raises(FileNotFoundError):
        client.publish(tmp_path / "none.keras", "mine")
    assert pipeline.requests == []

"""Publications: fields, cards and files of a request, without HTTP."""

import io
import json
from pathlib import Path
from typing import Any, cast

import pytest

from inference.api.learning.publications import PublicationsApi, read_card
from inference.database.learning.errors import RenamedExperimentError, StorageDownError
from inference.database.learning.run_requests import Author, RunRequests
from inference.database.learning.runs import Runs
from inference.errors import InvalidValueError, MalformedRequestError
from inference.originals.local_store import LocalStore
from inference.server.streamed_form import StreamedForm

DIGEST = "ab" * 32
BY = {"by": "ann", "reason": "from the lab"}


class FakeRequests:
    """Remembers the requests of publications."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, Any], Author]] = []

    def current_name(self, name: str) -> str | None:
        return "new" if name == "old" else None

    def publish(
        self, task: str, experiment_name: str, params: dict[str, Any], author: Author
    ) -> tuple[int, bool]:
        self.requests.append((task, experiment_name, params, author))
        return 7, len(self.requests) > 1


class FakeRuns:
    """Knows one run."""

    def state(self, run_id: int) -> dict[str, Any]:
        return {"state": "QUEUED", "experiment_name": "mine", "no_worker": None} | {"n": run_id}


def form(data: bytes = b"data", **fields: str) -> StreamedForm:
    return StreamedForm(
        io.BytesIO(data), {**BY, **fields}, "C:\\mine.keras", bytes=len(data), digest=DIGEST
    )


@pytest.fixture
def requests() -> FakeRequests:
    return FakeRequests()


@pytest.fixture
def api(requests: FakeRequests, tmp_path: Path) -> PublicationsApi:
    return PublicationsApi(
        cast("RunRequests", requests), cast("Runs", FakeRuns()), LocalStore(tmp_path / "store")
    )


def test_file_is_stored_and_its_run_located(
    api: PublicationsApi, requests: FakeRequests, tmp_path: Path
) -> None:
    card = {"task": "parity", "classes": ["even", "odd"]}
    stored = api.store("mine", form(card=json.dumps(card), force="true"))
    assert (stored.status, stored.location) == (202, "/runs/7")
    assert (stored.document["run_id"], stored.document["joined"]) == (7, False)
    file = tmp_path / "store" / "ab" / f"{DIGEST}.bin"
    assert file.read_bytes() == b"data"
    [(task, name, params, author)] = requests.requests
    assert (task, name, author) == ("parity", "mine", Author("ann", "from the lab"))
    assert params == {
        "file": {
            "url": params["file"]["url"],
            "digest": DIGEST,
            "bytes": 4,
            "name": "mine.keras",
        },
        "card": card,
        "force": True,
    }
    assert params["file"]["url"].endswith(f"/ab/{DIGEST}.bin")


def test_request_without_a_card_has_defaults(api: PublicationsApi, requests: FakeRequests) -> None:
    api.store("mine", form())
    assert api.store("mine", form()).document["joined"]
    assert requests.requests[0][0] == "mnist"
    assert (requests.requests[0][2]["card"], requests.requests[0][2]["force"]) == ({}, False)


def test_previous_name_is_refused_with_the_current_one(api: PublicationsApi) -> None:
    with pytest.raises(RenamedExperimentError, match="is now new"):
        api.store("old", form())


def test_unusable_form_is_refused_before_it_is_stored(api: PublicationsApi, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError):
        api.store("mine", form(b""))
    for field, text in (("by", " "), ("reason", ""), ("force", "yes"), ("card", "{")):
        sent = form()
        sent.fields[field] = text
        with pytest.raises(MalformedRequestError) as raised:
            api.store("mine", sent)
        assert raised.value.path == field
    assert not list((tmp_path / "store").rglob("*.bin"))


def test_storage_that_cannot_be_written_is_a_503(requests: FakeRequests, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    api = PublicationsApi(
        cast("RunRequests", requests), cast("Runs", FakeRuns()), LocalStore(tmp_path / "store")
    )
    with pytest.raises(StorageDownError):
        api.store("mine", form())
    assert requests.requests == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{", "card"),
        ("[]", "card"),
        ('{"tasks": "mnist"}', "card"),
        ('{"config": {"a": 1e999}}', "card"),
        ('{"task": "\\ud800"}', "card"),
        ('{"config": {"a": "\\u0000"}}', "card"),
        ("[" * 30_000, "card"),
        ('{"task": "Mnist"}', "card/task"),
        ('{"task": 3}', "card/task"),
        ('{"classes": "01"}', "card/classes"),
        ('{"classes": ["0", "0"]}', "card/classes"),
        ('{"input": {"scale": 0}}', "card/input"),
        ('{"input": {"colour": 1}}', "card/input"),
        ('{"output": "scores"}', "card/output"),
        ('{"metrics": []}', "card/metrics"),
        ('{"metrics": {"test_accuracy": 98.5}}', "card/metrics"),
        ('{"files": 3}', "card/files"),
    ],
)
def test_bad_card_is_refused_with_its_field(text: str, path: str) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        read_card(text)
    assert raised.value.path == path
    assert len(raised.value.detail) < 300
    assert ".." not in raised.value.detail


def test_card_of_a_model_is_accepted_whole() -> None:
    card = {
        "experiment": "mine",
        "files": {"model.keras": {"sha256": DIGEST, "bytes": 3}},
        "parity": {"images": 3, "max_abs_difference": 0.0, "equal_argmax": True},
        "task": "mnist",
        "input": {"scale": 0.00392156862745098},
        "metrics": {"test_accuracy": 0.98},
        "config": {"note": "a \\u0000 in words"},
    }
    assert read_card(json.dumps(card)) == card

"""API calls of the learning loop."""

from typing import Any

import pytest

from web.data.api_client import ApiClient
from web.data.api_types import ApiProblemError
from web.data.learning.client import LearningClient, StartedRun


class RecordingApi(ApiClient):
    """Client that records its requests and returns prepared documents."""

    def __init__(self, *documents: Any) -> None:
        super().__init__("http://api.example")
        self.documents = list(documents)
        self.requests: list[tuple[str, str, dict[str, Any]]] = []

    def request(
        self,
        method: str,
        path: str,
        *,
        accept: tuple[int, ...] = (200,),  # noqa: ARG002
        **arguments: Any,
    ) -> Any:
        self.requests.append((method, path, arguments))
        return self.documents.pop(0) if self.documents else {}


def test_retraining_states_that_a_person_asked() -> None:
    api = RecordingApi({"run_id": 20, "joined": True})
    started = LearningClient(api).retrain(
        "mnist", "a", seeds=3, dataset="latest", sweep={"trials": 8}, by="ann", reason="pens"
    )
    assert started == StartedRun(20, joined=True)
    [(method, path, arguments)] = api.requests
    assert (method, path) == ("POST", "/retrain")
    assert arguments["json"] == {
        "task": "mnist",
        "experiment_name": "a",
        "seeds": 3,
        "dataset": "latest",
        "trigger": "manual",
        "by": "ann",
        "reason": "pens",
        "sweep": {"trials": 8},
    }


def test_retraining_without_a_search_sends_none() -> None:
    api = RecordingApi({"run_id": 20, "joined": False})
    LearningClient(api).retrain(
        "mnist", "a", seeds=3, dataset="latest", sweep=None, by="ann", reason="pens"
    )
    assert "sweep" not in api.requests[0][2]["json"]


def test_unexpected_document_is_a_problem() -> None:
    client = LearningClient(RecordingApi({"run": 20}))
    with pytest.raises(ApiProblemError, match="Unexpected response"):
        client.retrain("m", "a", seeds=1, dataset="latest", sweep=None, by="a", reason="b")


@pytest.mark.parametrize("action", ["cancel", "retry", "promote"])
def test_action_names_author_and_reason(action: str) -> None:
    api = RecordingApi()
    getattr(LearningClient(api), action)(20, by="ann", reason="why")
    assert api.requests == [
        ("POST", f"/runs/20/{action}", {"json": {"by": "ann", "reason": "why"}})
    ]


def test_upload_has_its_name_and_author() -> None:
    api = RecordingApi({"upload_id": 3})
    assert LearningClient(api).upload("mnist", "a.zip", b"zip", by="cleo") == 3
    [(_, path, arguments)] = api.requests
    assert (path, arguments["params"]) == ("/load_new_data", {"task": "mnist"})
    assert arguments["data"] == {"name": "a.zip", "by": "cleo"}
    assert arguments["files"]["file"][:2] == ("a.zip", b"zip")


def test_publication_has_file_card_author_and_reason() -> None:
    api = RecordingApi({"run_id": 9, "joined": True})
    started = LearningClient(api).publish(
        "a.b", "m.keras", b"k", card={"task": "a"}, force=True, by="ann", reason="new"
    )
    assert started == StartedRun(9, joined=True)
    [(_, path, arguments)] = api.requests
    assert (path, arguments["files"]["file"][:2]) == ("/models/a.b", ("m.keras", b"k"))
    assert arguments["data"] == {
        "by": "ann",
        "reason": "new",
        "force": "true",
        "card": '{"task": "a"}',
    }


def test_answer_names_its_request() -> None:
    api = RecordingApi()
    LearningClient(api).answer("p/1", "7", labelled_by="ann", request=4)
    assert api.requests == [
        (
            "PUT",
            "/predictions/p%2F1/label",
            {"json": {"label": "7", "labelled_by": "ann", "answers_request": 4}},
        )
    ]


def test_label_requests_skip_and_withdrawal() -> None:
    api = RecordingApi({"asked": 12})
    client = LearningClient(api)
    assert client.request_labels("mnist", 50, by="ann") == 12
    client.skip(4, by="ann")
    client.withdraw("p", by="ann")
    assert [(method, path) for method, path, _ in api.requests] == [
        ("POST", "/label-requests"),
        ("POST", "/label-requests/4/skip"),
        ("DELETE", "/predictions/p/label"),
    ]


def test_schedule_sends_its_known_parameters() -> None:
    api = RecordingApi()
    client = LearningClient(api)
    client.set_schedule(
        "mnist",
        cron="0 3 * * 1",
        experiment="a",
        enabled=False,
        params={"seeds": 5, "sweep": None, "other": 1},
        by="ann",
    )
    client.delete_schedule("mnist")
    (_, path, arguments), (method, *_) = api.requests
    assert (path, method) == ("/schedules/mnist", "DELETE")
    assert arguments["json"] == {
        "seeds": 5,
        "cron": "0 3 * * 1",
        "experiment_name": "a",
        "enabled": False,
        "by": "ann",
    }


def test_evaluation_is_sent_as_it_is() -> None:
    api = RecordingApi()
    LearningClient(api).store_evaluation({"images": 3})
    assert api.requests == [("POST", "/evaluations", {"json": {"images": 3}})]

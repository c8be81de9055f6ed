"""Readings of experiments, as DataFrames and as dictionaries."""

import sys

import ml_ops_starter_client as client
import pytest

from tests.support.fake_tracking import Document, FakeTracking

EXPERIMENTS: list[Document] = [
    {
        "name": "first",
        "learning_rate": 0.1,
        "params": {"architecture": "LeNet", "name": "x"},
        "metrics": {"test_accuracy": 0.9},
        "archived_at": None,
    },
    {"name": "none", "learning_rate": None, "params": {}, "metrics": {}},
    {"name": "best", "params": {}, "metrics": {"test_accuracy": 0.99}},
    {
        "name": "old",
        "params": {},
        "metrics": {"test_accuracy": 0.95},
        "archived_at": "2026-01-01T00:00:00Z",
    },
]


@pytest.fixture
def answers(service: FakeTracking) -> FakeTracking:
    service.answers["/experiments"] = {"experiments": EXPERIMENTS}
    service.answers["/experiments/first"] = EXPERIMENTS[0]
    service.answers["/experiments/first/points"] = {
        "points": [
            {"metric": "loss", "step": 1, "value": 0.5, "at": 20},
            {"metric": "loss", "step": 0, "value": "NaN", "at": 10},
            {"metric": "loss", "step": 1, "value": 0.75, "at": 10},
        ]
    }
    service.answers["/experiments/best/points"] = {
        "points": [{"step": 2, "value": 0.25, "at": None}]
    }
    return service


@pytest.mark.usefixtures("answers")
def test_leaderboard_has_the_best_first_and_no_archived() -> None:
    table = client.leaderboard()
    assert list(table.index) == ["best", "first", "none"]
    assert table.loc["first", "architecture"] == "LeNet"
    assert table.loc["first", "params.name"] == "x"
    assert client.leaderboard(frame=False)[1]["test_accuracy"] == 0.9
    assert len(client.leaderboard(archived=True)) == 4


def test_curves_have_the_last_value_of_each_step(answers: FakeTracking) -> None:
    table = client.curves(["first", "best"])
    assert list(table.index) == [0, 1, 2]
    assert table.loc[1, "first"] == 0.5
    assert table.loc[2, "best"] == 0.25
    assert bool(table.isna().loc[0, "first"])
    assert client.curves("best", metric="loss", frame=False) == {"best": {2: 0.25}}
    assert answers.requests[-1][2]["query"] == {"metric": ["loss"]}


@pytest.mark.usefixtures("answers")
def test_experiment_returns_the_document() -> None:
    assert client.experiment("first") == EXPERIMENTS[0]
    with pytest.raises(client.ApiProblemError, match="Unknown experiment") as error:
        client.experiment("a/b")
    assert error.value.status == 404


def test_reading_without_service_names_its_url(service: FakeTracking) -> None:
    service.stop()
    with pytest.raises(client.ApiUnreachableError, match=service.url):
        client.leaderboard()


@pytest.mark.usefixtures("answers")
def test_frame_without_pandas_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="frame=False"):
        client.leaderboard()
    assert len(client.leaderboard(frame=False)) == 3

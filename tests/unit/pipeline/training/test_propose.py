"""Proposals of a sweep: within the space, and equal for equal histories."""

from typing import Any

import pytest

from pipeline.training.children.propose import propose
from servicekit.search_space import read

SPACE = read(
    {
        "learning_rate": [0.001, 0.1, "log"],
        "momentum": [0.0, 0.95],
        "batch_size": [32, 64],
        "trials": 9,
    }
).document()


def ask(history: list[dict[str, Any]], count: int = 2) -> list[dict[str, Any]]:
    request = {"space": SPACE, "history": history, "count": count}
    return list(propose(request, lambda _: None)["proposals"])


def extend(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    trials = [{"params": params, "value": params["momentum"]} for params in ask(history)]
    return history + trials


def test_propose_stays_within_the_space() -> None:
    for params in ask([], count=20):
        assert 0.001 <= params["learning_rate"] <= 0.1
        assert 0 <= params["momentum"] <= 0.95
        assert params["batch_size"] in (32, 64)


@pytest.mark.parametrize("rounds", [0, 1, 4])
def test_propose_equal_histories_give_equal_proposals(rounds: int) -> None:
    histories: list[list[dict[str, Any]]] = [[], []]
    for _ in range(rounds):
        histories = [extend(history) for history in histories]
    assert histories[0] == histories[1]
    assert ask(histories[0]) == ask(histories[1])


def test_propose_rounds_and_trials_differ() -> None:
    history = extend(extend([]))
    proposals = [tuple(trial["params"].values()) for trial in history]
    assert len(set(proposals)) == 4


def test_propose_learns_from_the_history() -> None:
    history: list[dict[str, Any]] = []
    for _ in range(12):
        history = extend(history)
    first, last = history[:6], history[-6:]
    assert sum(one["value"] for one in last) > sum(one["value"] for one in first)

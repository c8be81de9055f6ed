"""Publication of a model: the card that a form states, and the words for its run."""

from typing import Any

import pytest

from inference.model_format.card import UNCOMPILED, Card
from tests.support.fake_learning import make_detail, make_run, make_step
from tests.support.fakes import make_version
from web.data.learning.types import RunDetail
from web.tables.publication import (
    INK,
    PIXELS,
    add_task,
    better_card,
    describe_failure,
    describe_phase,
    merge_cards,
    stated_card,
)

NOTHING: dict[str, Any] = {"pixels": next(iter(PIXELS)), "ink": next(iter(INK))}


def stated(**fields: Any) -> dict[str, Any]:
    return stated_card(**{"accuracy_percent": None, "task": "", "classes": "", **NOTHING, **fields})


def test_empty_form_states_nothing() -> None:
    assert stated() == {}


def test_form_states_a_card() -> None:
    assert stated(
        accuracy_percent=98.57,
        task=" parity ",
        classes="even, odd,",
        pixels="-1 to 1",
        ink="Black on white",
    ) == {
        "metrics": {"test_accuracy": 0.9857},
        "task": "parity",
        "classes": ["even", "odd"],
        "input": {"scale": 1 / 127.5, "offset": -1.0, "invert": True},
    }


@pytest.mark.parametrize("pixels", PIXELS)
@pytest.mark.parametrize("ink", INK)
def test_every_choice_is_a_valid_card(pixels: str, ink: str) -> None:
    card = stated(pixels=pixels, ink=ink)
    assert Card.from_document({"experiment": "a", **UNCOMPILED, **card})


def test_experiment_gives_its_task_and_the_classes_of_its_models() -> None:
    versions = [
        make_version("a", task="parity", classes=()),
        make_version("b", task="parity", classes=("even", "odd")),
    ]
    assert add_task({}, "parity", versions, "m.keras") == {
        "task": "parity",
        "classes": ["even", "odd"],
    }
    assert add_task({"classes": ["x"]}, "parity", versions, "m.h5")["classes"] == ["x"]
    assert add_task({"task": "other"}, "parity", versions, "m.keras") == {"task": "other"}
    assert add_task({}, None, versions, "m.keras") == {}
    assert add_task({}, "parity", versions, "m.ZIP") == {}


def publication(state: str, **step: Any) -> RunDetail:
    run = make_run(kind="publish", state=state, reason="publish: It reads no digits.")
    return make_detail(run, steps=(make_step("publish", **step),))


def test_phase_of_an_open_run() -> None:
    waiting = make_detail(make_run(kind="publish", state="QUEUED"), steps=())
    assert describe_phase(waiting) == ("Waiting for a worker", 0.0)
    step = make_step("publish", "RUNNING", progress={"phase": "compile"})
    running = make_detail(make_run(kind="publish", state="RUNNING"), steps=(step,))
    assert describe_phase(running) == ("Compiling it in the sandbox", 0.2)


def test_refused_run_has_a_reason_and_a_better_card() -> None:
    suggested = {"input": {"invert": True}}
    refused = publication(
        "FAILED", progress={"phase": "probe", "refused": "probe", "better_card": suggested}
    )
    assert describe_failure(refused) == "It reads no digits."
    assert better_card(refused) == (True, suggested)
    without = publication("FAILED", progress={"refused": "probe", "better_card": None})
    assert better_card(without) == (True, {})
    assert better_card(publication("FAILED", progress={"phase": "compile"})) == (False, {})


def test_suggested_fields_win() -> None:
    card = {"task": "a", "input": {"scale": 1.0, "invert": True}}
    assert merge_cards(card, {"input": {"invert": False}, "classes": ["1"]}) == {
        "task": "a",
        "input": {"scale": 1.0, "invert": False},
        "classes": ["1"],
    }

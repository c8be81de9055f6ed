"""Probe report: its sentence, its JSON object and the card that it suggests."""

import json
from dataclasses import asdict

import pytest

from inference.probe.report import BetterCard, ProbeReport, Reading

INVERTED = BetterCard(0.915, {"invert": True})
REORDERED = BetterCard(1.0, {"scale": 0.00392157, "fit": "pad"}, tuple("1234567890"))


@pytest.mark.parametrize(
    ("reading", "sentence"),
    [
        (Reading(0.995, 200), "99 % of 200 probe digits as stated"),
        (Reading(1.0, 20), "100 % of 20 probe digits as stated"),
        (Reading(0.29, 200), "29 % of 200 probe digits as stated"),
        (
            Reading(0.12, 200, INVERTED),
            "12 % of 200 probe digits as stated; 91 % with input.invert: true",
        ),
        (
            Reading(0.12, 200, REORDERED),
            (
                "12 % of 200 probe digits as stated; 100 % with input.scale: 0.00392157, "
                'input.fit: "pad", classes: ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"]'
            ),
        ),
        (Reading(), "No probe: the classes are not the ten digits"),
    ],
)
def test_sentence_names_the_share_and_the_better_card(reading: Reading, sentence: str) -> None:
    assert reading.sentence == sentence


@pytest.mark.parametrize("best", [None, INVERTED, REORDERED])
def test_reading_round_trips_through_json(best: BetterCard | None) -> None:
    reading = Reading(0.5, 200, best)
    assert Reading.from_document(json.loads(json.dumps(asdict(reading)))) == reading


def test_better_card_holds_only_changed_keys() -> None:
    assert INVERTED.card() == {"input": {"invert": True}}
    assert BetterCard(1.0, {}, ("1", "0")).card() == {"classes": ["1", "0"]}


def test_document_has_the_sentence_and_the_verdict() -> None:
    document = ProbeReport(Reading(0.12, 200, INVERTED), passed=False, warning=True).document()
    assert document == {
        "accuracy": 0.12,
        "digits": 200,
        "best": {"accuracy": 0.915, "input": {"invert": True}, "classes": None},
        "sentence": "12 % of 200 probe digits as stated; 91 % with input.invert: true",
        "passed": False,
        "warning": True,
    }

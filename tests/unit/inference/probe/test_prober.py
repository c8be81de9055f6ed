"""Prober: keeps readings, and decides what is good enough."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from inference.model_format.card import Card, FileRecord, InputSpec, Parity
from inference.probe import prober
from inference.probe.prober import Prober
from inference.probe.report import BetterCard, Reading

RECORD = FileRecord("a" * 64, 3)
CARD = Card("a", {}, Parity(0, 0.0, equal_argmax=True))
NETWORK = cast("Any", object())


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Reading]:
    """The readings to come, which each reading of a probe takes from the front."""
    coming = [Reading(0.9, 200), Reading(0.1, 200, BetterCard(0.9, {"invert": True}))]
    monkeypatch.setattr(prober, "read_probe", lambda _network, _card: coming.pop(0))
    return coming


def test_reading_is_kept_for_the_same_file_and_signature(
    readings: list[Reading], tmp_path: Path
) -> None:
    first = Prober(tmp_path / "probes").report(NETWORK, RECORD, CARD)
    described = replace(CARD, experiment="b", metrics={"test_accuracy": 0.99})
    assert Prober(tmp_path / "probes").report(NETWORK, RECORD, described) == first
    assert len(readings) == 1


@pytest.mark.parametrize(
    ("record", "card"),
    [
        (FileRecord("b" * 64, 3), CARD),
        (RECORD, replace(CARD, input=InputSpec(offset=1.0))),
        (RECORD, replace(CARD, classes=tuple("1234567890"))),
        (RECORD, replace(CARD, output="logits")),
    ],
)
@pytest.mark.usefixtures("readings")
def test_other_content_or_signature_is_read_again(
    tmp_path: Path, record: FileRecord, card: Card
) -> None:
    Prober(tmp_path).report(NETWORK, RECORD, CARD)
    assert Prober(tmp_path).report(NETWORK, record, card).reading.accuracy == 0.1


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"accuracy": "x", "digits": 1}', b"\xff"])
@pytest.mark.usefixtures("readings")
def test_damaged_reading_is_replaced(tmp_path: Path, content: bytes) -> None:
    Prober(tmp_path).report(NETWORK, RECORD, CARD)
    [kept] = tmp_path.iterdir()
    kept.write_bytes(content)
    assert Prober(tmp_path).report(NETWORK, RECORD, CARD).reading.accuracy == 0.1
    assert Prober(tmp_path).report(NETWORK, RECORD, CARD).reading.accuracy == 0.1


@pytest.mark.usefixtures("readings")
def test_directory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    report = Prober(tmp_path / "file" / "probes").report(NETWORK, RECORD, CARD)
    assert report.reading.accuracy == 0.9


@pytest.mark.parametrize(
    ("reading", "test_accuracy", "passed", "warning"),
    [
        (Reading(0.9, 200), None, True, False),
        (Reading(0.5, 200), None, False, True),
        (Reading(0.5, 200), 0.98, False, True),
        (Reading(0.5, 200), 0.47, False, False),
        (Reading(0.1, 200, BetterCard(0.9, {})), 0.1, False, True),
        (Reading(0.8, 200, BetterCard(0.95, {})), None, True, True),
        (Reading(), 0.98, None, False),
    ],
)
def test_report_passes_from_the_setting_on(
    monkeypatch: pytest.MonkeyPatch,
    reading: Reading,
    test_accuracy: float | None,
    *,
    passed: bool | None,
    warning: bool,
) -> None:
    monkeypatch.setattr(prober, "read_probe", lambda _network, _card: reading)
    card = replace(CARD, metrics={} if test_accuracy is None else {"test_accuracy": test_accuracy})
    report = Prober(min_accuracy=0.7).report(NETWORK, RECORD, card)
    assert (report.passed, report.warning) == (passed, warning)

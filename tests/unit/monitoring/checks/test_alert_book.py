"""Alert book: one change is one alert, which rises in severity and ends after 500 images."""

import numpy as np
import pytest

from monitoring.checks.alert_book import Alert, AlertBook, Details
from monitoring.checks.track import Finding, Onset

CHAMPION, OTHER = "champion", "other"


def finding(number: int, family: str, onset: int = 5) -> Finding:
    return Finding(number, number, family, 7.5, Onset(onset, 0), (("slant", 0.9), ("mean", 0.01)))


@pytest.fixture
def book() -> AlertBook:
    return AlertBook(CHAMPION, [], lambda version, path, _: Details({path: 1.0}, [version]))


def run(book: AlertBook, *found: tuple[str, Finding], until: int = 0) -> list[Alert]:
    """Examine images 1 to `until` of both versions."""
    numbers = list(range(1, until + 1))
    book.run(
        [(version, "as_sent", item) for version, item in found],
        {CHAMPION: numbers, OTHER: numbers},
    )
    return [alert for alert in book.alerts if alert.is_open]


def test_families_of_the_champion_join_one_alert(book: AlertBook) -> None:
    [alert] = run(
        book,
        (CHAMPION, finding(10, "inputs")),
        (CHAMPION, finding(12, "novelty", onset=3)),
        until=20,
    )
    assert (alert.families, alert.severity) == (["inputs", "novelty"], "warning")
    assert [feature["family"] for feature in alert.features] == ["inputs", "novelty"]
    assert (alert.onset.number, alert.quiet_images, alert.has_risen) == (3, 8, False)


def test_confidence_raises_the_severity_once(book: AlertBook) -> None:
    [alert] = run(book, (CHAMPION, finding(10, "inputs")), (CHAMPION, finding(30, "confidence")))
    assert (alert.severity, alert.has_risen) == ("critical", True)


def test_confidence_alone_is_a_warning(book: AlertBook) -> None:
    [alert] = run(book, (CHAMPION, finding(10, "confidence")))
    assert alert.severity == "warning"


def test_labels_are_information_of_their_own(book: AlertBook) -> None:
    first, second = run(book, (CHAMPION, finding(10, "labels")), (CHAMPION, finding(11, "inputs")))
    assert (first.severity, second.severity) == ("info", "warning")


def test_another_version_joins_with_its_features_only(book: AlertBook) -> None:
    [alert] = run(book, (CHAMPION, finding(10, "inputs")), (OTHER, finding(12, "confidence")))
    assert (alert.families, alert.severity) == (["inputs"], "warning")
    assert [feature["family"] for feature in alert.features] == ["inputs", "confidence"]


def test_alert_of_another_version_joins_that_of_the_champion(book: AlertBook) -> None:
    [alert] = run(book, (OTHER, finding(10, "confidence")), (CHAMPION, finding(12, "inputs")))
    assert alert.version_id == CHAMPION
    assert [feature["family"] for feature in alert.features] == ["inputs", "confidence"]


def test_alert_ends_after_500_quiet_images(book: AlertBook) -> None:
    assert len(run(book, (CHAMPION, finding(10, "inputs")), until=509)) == 1
    assert run(book, until=510) == []
    assert book.alerts[0].closed_at_number == 510


def test_finding_after_the_end_opens_another_alert(book: AlertBook) -> None:
    found = [(CHAMPION, finding(10, "inputs")), (CHAMPION, finding(511, "inputs"))]
    [alert] = run(book, *found, until=520)
    assert (len(book.alerts), alert.opened_at_number) == (2, 511)


def test_finding_at_the_last_quiet_image_keeps_the_alert(book: AlertBook) -> None:
    found = [(CHAMPION, finding(10, "inputs")), (CHAMPION, finding(510, "inputs"))]
    run(book, *found, until=520)
    assert len(book.alerts) == 1


def test_drifting_covers_the_images_of_the_alert(book: AlertBook) -> None:
    run(book, (CHAMPION, finding(10, "inputs")), until=600)
    drifting = book.drifting(np.arange(1, 601))
    assert (np.flatnonzero(drifting)[[0, -1]] + 1).tolist() == [10, 510]


def test_accuracy_makes_an_open_drift_critical(book: AlertBook) -> None:
    run(book, (CHAMPION, finding(10, "inputs")))
    book.add_accuracy(CHAMPION, finding(0, "accuracy"))
    [alert] = book.alerts
    assert (alert.families, alert.severity) == (["inputs", "accuracy"], "critical")


def test_accuracy_without_a_drift_is_a_warning_of_its_own(book: AlertBook) -> None:
    book.add_accuracy(CHAMPION, finding(0, "accuracy"))
    [alert] = book.alerts
    assert (alert.kind, alert.severity) == ("accuracy", "warning")
    run(book, (CHAMPION, finding(10, "inputs")), until=900)
    assert [alert.severity for alert in book.alerts] == ["warning", "critical"]
    assert alert.is_open  # images do not end it
    book.count_quiet_labels(CHAMPION, 500)
    assert not alert.is_open

"""Sentences of the monitor: images are counted once, names and shares are told."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.support.fake_monitoring import make_alert, make_detector
from web.data.monitoring.types import ChangedFeature, MonitorState, ReferenceRequest
from web.tables.monitoring.sentences import (
    count_images,
    describe_alert,
    describe_requests,
    describe_task,
    name_family,
)


def state(*detectors: object, alerts: tuple[object, ...] = ()) -> MonitorState:
    return MonitorState(1.0, ("digits",), {}, detectors, alerts, ())  # type: ignore[arg-type]


def test_image_counts_once_for_all_families_and_versions() -> None:
    detectors = [
        make_detector(1, "inputs", images=1000),
        make_detector(2, "novelty", images=1000),
        make_detector(3, "inputs", path="framed", images=50),
        make_detector(4, "confidence", version=2, images=400),
        make_detector(5, "accuracy", path="all", images=9999),
    ]
    assert count_images(detectors) == 1050
    assert count_images([]) == 0


def test_alert_names_its_two_largest_features_once() -> None:
    assert "(peak, lit)" in describe_alert(make_alert(), datetime.now(UTC)).replace("\\", "")
    assert "(" not in describe_alert(make_alert(features=(), sources={}), datetime.now(UTC))


def test_features_of_the_inputs_come_first() -> None:
    features = (
        ChangedFeature("novelty", 1.0, "novelty"),
        ChangedFeature("max_probability", 0.9, "confidence"),
        ChangedFeature("slant", 0.4, "inputs"),
    )
    both = make_alert(family="novelty", families=("novelty", "inputs"), features=features)
    assert "(slant, novelty)" in describe_alert(both, datetime.now(UTC)).replace("\\", "")


def test_share_of_a_label_names_the_label() -> None:
    feature = ChangedFeature("8", 0.7, "labels")
    alert = make_alert(family="labels", families=("labels",), features=(feature,))
    assert "changed 14 min ago (label 8)" in describe_alert(alert, datetime.now(UTC))


@pytest.mark.parametrize("kind", ["accuracy", "errors", "latency", "log"])
def test_other_kinds_have_their_own_words(kind: str) -> None:
    text = describe_alert(make_alert(kind=kind, family=kind, families=(kind,)), datetime.now(UTC))
    assert "what is sent" not in text
    assert text.endswith("since 14 min ago")


def test_most_severe_alert_comes_first() -> None:
    alerts = (
        make_alert(9, severity="info", family="labels", families=("labels",)),
        make_alert(4, severity="critical"),
        make_alert(5),
    )
    tones = [one.tone for one in describe_task(state(alerts=alerts), "digits", datetime.now(UTC))]
    assert tones == ["critical", "warning", "info"]


def test_one_learning_path_does_not_hide_the_other() -> None:
    detectors = (
        make_detector(1, "inputs"),
        make_detector(2, "inputs", path="framed", state="learning", images=0, learnt=5),
    )
    [sentence] = describe_task(state(*detectors), "digits", datetime.now(UTC))
    assert sentence.text == "**digits:** no change in 12,345 images"


def test_path_is_named_where_there_are_two() -> None:
    assert name_family("inputs", "framed", has_paths=True) == "inputs (larger images)"
    assert name_family("inputs", "framed", has_paths=False) == "inputs"
    assert name_family("accuracy", "all", has_paths=True) == "accuracy"


def test_new_reference_says_how_many_images_it_needs() -> None:
    learning = replace(make_detector(), state="learning", origin=None, learnt=120)
    request = ReferenceRequest("digits", 500, "ann", datetime.now(UTC))
    waiting = replace(state(learning), requests=(request,))
    [sentence] = describe_task(waiting, "digits", datetime.now(UTC))
    assert "nothing is examined until then. 120 of 500 images are there, 380" in sentence.text
    [progress] = describe_requests(waiting, "digits")
    assert "120 of 500 images so far, asked by ann" in progress


def test_name_of_the_model_links_to_its_run() -> None:
    alert = make_alert(family="confidence", families=("confidence",), experiment_name="lenet")
    assert "the confidence of [lenet@1](run?name=lenet) changed" in describe_alert(
        alert, datetime.now(UTC)
    ).replace("\\", "")

"""Monitor page in each state, without a browser."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fake_monitoring import (
    NOW,
    make_alert,
    make_detector,
    make_reference,
)
from tests.support.fakes import (
    DOWN,
    HOSTILE,
    FakeSources,
    linked_names,
    open_alone,
    open_page,
    visible_text,
)
from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.data.monitoring.metrics import ServiceMetrics
from web.data.monitoring.types import ReferenceRequest


def monitor_script() -> None:
    """Run the Monitor page below the status strip, as app.py does."""
    import web.sources  # noqa: PLC0415
    from web.components.status_strip import show_status_strip  # noqa: PLC0415
    from web.views.monitor import page  # noqa: PLC0415

    sources = web.sources.get_sources()
    show_status_strip(sources)
    page.show(sources)


def monitor_page(**query: str) -> AppTest:
    app = open_alone(monitor_script, **query)
    assert [one.value for one in app.exception] == []
    assert [one.value for one in app.error if "cannot be shown" in one.value] == []
    return app


def text_of(app: AppTest) -> str:
    """Return the visible text without escapes."""
    return visible_text(app).replace("\\", "").replace("\N{WORD JOINER}", "")


def press(app: AppTest, button: str, **texts: str) -> AppTest:
    """Fill in the form with this button and submit it."""
    submit = next(one for one in app.button if one.label == button and one.form_id)
    for field in app.text_input:
        name = field.label.split()[-1].lower()
        if field.form_id == submit.form_id and name in texts:
            field.set_value(texts[name])
    submit.click()
    return app.run()


def drift(fake: FakeSources, **changes: Any) -> None:
    """Open an alert, and let the detector of the inputs say so."""
    fake.monitoring.open_alerts = [make_alert(**changes)]
    first, *others = fake.monitoring.detectors
    fake.monitoring.detectors = [replace(first, state="drifting"), *others]


@pytest.mark.usefixtures("sources")
def test_quiet_task_is_one_plain_sentence() -> None:
    app = monitor_page()
    assert "**digits:** no change in 12,345 images" in text_of(app)
    assert [one.label for one in app.button if one.form_id] == []


def test_drift_says_what_since_when_and_from_whom(sources: FakeSources) -> None:
    drift(sources)
    app = monitor_page()
    expected = (
        "**digits:** what is sent changed 14 min ago (peak, lit), about image 10,412;"
        " 93\N{NO-BREAK SPACE}% of it from python-requests"
    )
    text = text_of(app)
    assert expected in text
    assert "Predicted: 7, 7, 7, 7, 7, 7, 7, 7" in text
    assert ("Strange" in text, "Ordinary, before the change" in text) == (True, True)
    assert len(app.get("image")) + len(app.get("image_list")) == 16
    assert [one.label for one in app.button if one.form_id] == [
        "Accept as normal", "Label 100", "Close",
    ]  # fmt: skip


def test_critical_drift_says_that_the_model_suffers(sources: FakeSources) -> None:
    drift(sources, severity="critical", families=("inputs", "confidence"))
    assert "**and the model suffers** (confidence)" in text_of(monitor_page())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"family": "labels", "families": ("labels",), "severity": "info"}, "the shares of pred"),
        ({"family": "confidence", "families": ("confidence",)}, "the confidence of [ready_1@1]("),
        ({"kind": "accuracy", "family": "accuracy", "families": ("accuracy",)}, "less accurate"),
        ({"sources": {HOSTILE: 1.0}, "features": ()}, "of it from evil_*b*[c](http://x)"),
        ({"sources": {"a": 0.4, "b": 0.3, "c": 0.3}}, "from 3 programs"),
    ],
)
def test_each_kind_of_alert_has_its_sentence(
    sources: FakeSources, changes: dict[str, Any], text: str
) -> None:
    drift(sources, **changes)
    app = monitor_page()
    assert text in text_of(app)
    assert "evil_*b*[c]" not in visible_text(app)


def test_first_reference_says_how_many_images_are_missing(sources: FakeSources) -> None:
    sources.monitoring.detectors = [
        make_detector(1, state="learning", origin=None, reference_images=None, learnt=1234)
    ]
    text = text_of(monitor_page())
    assert "1,234 of 2,000 images are there, 766 are missing" in text


def test_waiting_request_says_how_far_it_is(sources: FakeSources) -> None:
    drift(sources)
    first, *others = sources.monitoring.detectors
    sources.monitoring.detectors = [replace(first, learnt=300), *others]
    sources.monitoring.requests = [ReferenceRequest("digits", 2000, "ann", NOW)]
    app = monitor_page()
    assert "becomes the new normal: 300 of 2,000 images so far, asked by ann" in text_of(app)
    assert "Accept as normal" not in [one.label for one in app.button]


@pytest.mark.parametrize(("seconds", "text"), [(None, "MONITOR=0"), (200.0, "3 min ago")])
def test_missing_monitor_says_what_starts_it(
    sources: FakeSources, seconds: float | None, text: str
) -> None:
    sources.monitoring.seen_seconds = seconds
    shown = visible_text(monitor_page())
    assert ("No monitor runs" in shown, "make up" in shown, text in shown) == (True, True, True)


def test_stack_without_models_says_what_to_do(sources: FakeSources) -> None:
    sources.monitoring.tasks, sources.monitoring.detectors = (), []
    assert "Nothing to monitor yet" in visible_text(monitor_page())


def test_task_without_images_says_so(sources: FakeSources) -> None:
    sources.monitoring.detectors, sources.monitoring.answers = [], []
    sources.monitoring.labels, sources.monitoring.points = [], 0
    text = text_of(monitor_page())
    for expected in (
        "**digits:** no image examined yet", "No check in this window", "No version is watched",
        "No answer in this window", "No alert yet", "Traffic is compared",
    ):  # fmt: skip
        assert expected in text


def test_database_down_keeps_the_page(sources: FakeSources) -> None:
    sources.monitoring.problem = DOWN
    text = text_of(monitor_page())
    assert ("Last known data" in text, "no change in 12,345 images" in text) == (True, True)


def test_database_that_was_never_up_offers_retry(sources: FakeSources) -> None:
    sources.monitoring.problem, sources.monitoring.was_ever_up = DOWN, False
    app = monitor_page()
    assert "No monitoring to show" in visible_text(app)
    assert "Retry" in [one.label for one in app.button]


def test_api_down_keeps_the_page(sources: FakeSources) -> None:
    sources.api_problem = "The inference API does not respond."
    text = text_of(monitor_page())
    assert ("does not respond" in text, "no change in" in text) == (True, True)


@pytest.mark.parametrize(
    ("button", "texts", "call"),
    [
        ("Accept as normal", {"name": "ann "}, ("accept", "digits", 2000, "ann")),
        ("Label 100", {"name": "ann"}, ("request_labels", 3, 100, "ann")),
        (
            "Close",
            {"name": "ann", "reason": "a new scanner"},
            ("close", 3, "ann", "a new scanner"),
        ),
    ],
)
def test_action_is_stored_with_its_author(
    sources: FakeSources, button: str, texts: dict[str, str], call: tuple[Any, ...]
) -> None:
    drift(sources)
    press(monitor_page(), button, **texts)
    assert sources.monitoring_api.calls == [call]


def test_action_survives_every_change_of_the_page(sources: FakeSources) -> None:
    """The strip, the alerts and the monitor change in the run of the click."""
    drift(sources)
    app = monitor_page()
    sources.served["ready_3"] = sources.served["ready_2"]
    sources.monitoring.seen_seconds = 100.0
    sources.monitoring.open_alerts.insert(0, make_alert(9, family="labels", severity="info"))
    press(app, "Close", name="ann", reason="x")
    assert sources.monitoring_api.calls == [("close", 3, "ann", "x")]


def test_action_needs_every_field(sources: FakeSources) -> None:
    drift(sources)
    app = press(monitor_page(), "Close", name="", reason=" ")
    assert "Fill in: Your name, Reason" in visible_text(app)
    assert sources.monitoring_api.calls == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ApiUnreachableError("No response."), "does not respond"),
        (ApiProblemError(409, "Conflict", "It is *over*."), r"It is \*over\*\."),
    ],
)
def test_rejected_action_says_why(
    sources: FakeSources, error: ApiProblemError | ApiUnreachableError, text: str
) -> None:
    drift(sources)
    sources.monitoring_api.error = error
    app = press(monitor_page(), "Close", name="ann", reason="x")
    assert text in visible_text(app)


def test_evidence_of_an_alert_is_on_its_line(sources: FakeSources) -> None:
    drift(sources, evidence=8.4)
    chart = monitor_page().get("echarts_chart")[0].proto.spec
    inputs = json.loads(chart)["series"][0]
    assert inputs["data"][-2:] == [[10_412, 8.4], [12_345, 1.2]]


def test_features_show_the_share_outside_of_the_reference(sources: FakeSources) -> None:
    sources.monitoring.known_references = (make_reference(), make_reference("framed"))
    app = monitor_page(feature="lit")
    text = text_of(app)
    assert "**Images sent as 28x28:** the last 60 images against 1,500 images of test" in text
    assert "**Images sent as larger images:**" in text
    tables = [one.value for one in app.dataframe if "outside" in one.value.columns]
    assert len(tables) == 2
    assert tables[0]["outside"].between(0, 30).all()
    assert app.selectbox(key="feature").value == "lit"


def test_changed_feature_is_shown_first(sources: FakeSources) -> None:
    drift(sources)
    sources.monitoring.known_references = (make_reference(),)
    assert monitor_page().selectbox(key="feature").value == "peak"


def test_reference_of_another_release_is_left_out(sources: FakeSources) -> None:
    sources.monitoring.known_references = (replace(make_reference(), sketch={"version": 99}),)
    assert "No image of this version has stored pixels yet" in text_of(monitor_page())


def accuracy(app: AppTest) -> dict[str, Any]:
    table = next(one.value for one in app.dataframe if "random" in one.value.columns)
    return {str(name): value for name, value in table.iloc[0].items()}


@pytest.mark.usefixtures("sources")
def test_accuracy_tells_random_labels_from_other_ones() -> None:
    row = accuracy(monitor_page())
    assert row["test"] == pytest.approx(99.1)
    assert row["random"] == "98.3\N{NO-BREAK SPACE}% (94.1\N{EN DASH}99.5), 120"
    assert row["other"].startswith("66.7")
    assert row["estimated"] == "98.0\N{NO-BREAK SPACE}%"


def test_estimate_cannot_be_told_while_a_drift_is_open(sources: FakeSources) -> None:
    drift(sources)
    app = monitor_page()
    assert accuracy(app)["estimated"] == "cannot be told: what is sent has changed"
    assert "The accuracy without labels cannot be told" in text_of(app)


def test_changed_shares_of_labels_leave_the_estimate(sources: FakeSources) -> None:
    drift(sources, family="labels", families=("labels",), severity="info")
    assert accuracy(monitor_page())["estimated"].startswith("98.0")


def test_errors_and_lag_of_the_service_are_shown(sources: FakeSources) -> None:
    text = text_of(monitor_page())
    assert "**10**] errors (1.00\N{NO-BREAK SPACE}%) of 1,000 answers" in text
    assert "the prediction log is up to date" in text
    sources.monitoring_api.served = ServiceMetrics({200: 5}, 75.0)
    assert "the prediction log lags **1 min 15 s**" in text_of(monitor_page())


def test_alerts_have_their_history(sources: FakeSources) -> None:
    drift(sources)
    sources.monitoring.closed_alerts = [
        make_alert(
            2,
            closed_at=datetime.now(UTC) - timedelta(minutes=3),
            closed_by="ann",
            close_reason="the scanner was replaced",
        )
    ]
    table = next(one.value for one in monitor_page().dataframe if "closed_by" in one.value.columns)
    assert list(table["state"]) == ["Open", "Closed"]
    assert list(table["lasted"].round()) == [13, 10]
    assert table["what"][0].startswith("What is sent changed 14 min ago (peak, lit)")


def test_skew_compares_test_images_with_traffic(sources: FakeSources) -> None:
    sources.monitoring.skews = [
        ("ready_1", 1, "as_sent", "peak", 254.0, 3.0, 180.0, -24.7, 5000, 2000, NOW)
    ]
    table = next(one.value for one in monitor_page().dataframe if "shift" in one.value.columns)
    assert table.iloc[0]["shift"] == -24.7


def test_versions_have_short_names_in_every_table(sources: FakeSources) -> None:
    long = ("mnist_experiment_25__deep_cnn", "mnist_experiment_12__lenet5")
    monitoring = sources.monitoring
    monitoring.labels = []
    monitoring.detectors = [
        make_detector(number, "labels", experiment_name=name)
        for number, name in enumerate([*long, "live"], 1)
    ]
    monitoring.answers = [(name, 1, 400, 2.5, 9.0) for name in [*long, "live"]]
    monitoring.closed_alerts = [
        make_alert(number, experiment_name=name, closed_at=NOW) for number, name in enumerate(long)
    ]
    monitoring.skews = [
        (name, 1, "as_sent", "peak", 254.0, 3.0, 180.0, -24.7, 5000, 2000, NOW) for name in long
    ]
    app = monitor_page()
    links = {
        column: linked_names(table.value["version"])
        for column in ("estimated", "p50", "closed_by", "shift")
        for table in app.dataframe
        if column in table.value.columns
    }
    assert links == {
        "estimated": ["live@1", "12__lenet5@1", "25__deep_cnn@1"],
        "p50": ["25__deep_cnn@1", "12__lenet5@1", "live@1"],
        "closed_by": ["25__deep_cnn@1", "12__lenet5@1"],
        "shift": ["25__deep_cnn@1", "12__lenet5@1"],
    }


def test_url_restores_task_window_and_version(sources: FakeSources) -> None:
    sources.monitoring.tasks = ("digits", "letters")
    sources.monitoring.detectors += [
        make_detector(7, task="letters", experiment_name="abc", version=number) for number in (1, 2)
    ]
    app = monitor_page(task="letters", days="30", version="abc@2")
    assert app.selectbox(key="task").value == "letters"
    assert app.selectbox(key="days").value == "30"
    assert app.selectbox(key="version").value == "abc@2"


def test_task_with_an_alert_comes_first(sources: FakeSources) -> None:
    sources.monitoring.tasks = ("digits", "letters")
    sources.monitoring.open_alerts = [make_alert(task="letters", experiment_name="abc")]
    app = monitor_page()
    assert app.selectbox(key="task").value == "letters"
    assert "**digits:** no change" in text_of(app)


@pytest.mark.parametrize("query", [{"task": "x"}, {"days": "x"}, {"version": "x@1"}])
@pytest.mark.usefixtures("sources")
def test_unknown_value_of_the_url_is_left_out(query: dict[str, str]) -> None:
    assert "no change in 12,345 images" in text_of(monitor_page(**query))


def test_report_is_offered(sources: FakeSources) -> None:
    drift(sources)
    assert [one.proto.label for one in monitor_page().get("download_button")] == ["Report"]


@pytest.mark.parametrize("open_app", [monitor_page, open_page])
def test_alerts_are_a_badge_of_the_strip(
    sources: FakeSources, open_app: Callable[[], AppTest]
) -> None:
    drift(sources)
    app = open_app()
    links = " ".join(one.proto.label for one in app.get("page_link"))
    assert "1 alert: digits" in text_of(app) + links


def test_quiet_strip_has_no_badge(sources: FakeSources) -> None:
    assert sources.monitoring.open_alerts == []
    assert "alert:" not in text_of(monitor_page())

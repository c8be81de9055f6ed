"""Pipelines page in each state, without a browser."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fake_learning import (
    NOW,
    make_comparison,
    make_decision,
    make_detail,
    make_request,
    make_run,
    make_step,
    make_training,
)
from tests.support.fakes import DOWN, FakeSources, open_alone, visible_text
from web.components.label_keys import SKIP, UNDO
from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.data.learning.data_types import Schedule
from web.views.pipelines import labeling


def pipelines_script() -> None:
    """Run the Pipelines page as app.py does."""
    import web.sources  # noqa: PLC0415
    from web.views.pipelines import page  # noqa: PLC0415

    page.show(web.sources.get_sources())


def framed_script() -> None:
    """Run the status strip and the Pipelines page below it, as app.py does."""
    import web.sources  # noqa: PLC0415
    from web.components.status_strip import show_status_strip  # noqa: PLC0415
    from web.views.pipelines import page  # noqa: PLC0415

    sources = web.sources.get_sources()
    show_status_strip(sources)
    page.show(sources)


def pipelines_page(**query: str) -> AppTest:
    app = open_alone(pipelines_script, **query)
    assert [one.value for one in app.exception] == []
    return app


def press(app: AppTest, button: str, **texts: str) -> AppTest:
    """Fill in the form with this button and submit it."""
    submit = next(one for one in app.button if one.label == button and one.form_id)
    for field in app.text_input:
        name = field.label.split()[-1].lower()
        if field.form_id == submit.form_id and name in texts:
            field.set_value(texts[name])
    submit.click()
    return app.run()


def badges(app: AppTest) -> str:
    return " ".join(one.value for one in app.markdown if "-badge[" in one.value)


@pytest.mark.usefixtures("sources")
def test_run_is_a_row_with_gain_and_trigger() -> None:
    row = pipelines_page().dataframe[0].value.iloc[0]
    assert (row["run"], row["state"], row["verdict"], row["trigger"], row["gain"]) == (
        7,
        ["Succeeded"],
        ["Refuse"],
        "new labels + 2 more",
        "+0.16 (at least \N{MINUS SIGN}0.02)",
    )


@pytest.mark.usefixtures("sources")
def test_verdict_has_its_sentence_and_cells() -> None:
    app = pipelines_page(run="7")
    text = visible_text(app)
    assert "Refused: the champion stays" in text
    assert (
        r"Only the candidate reads 34 images\, only the champion 18\: p \= 0\.018"
        in text.replace("\N{WORD JOINER}", "")
    )
    assert "| **Candidate wrong** | **18** | 98 |" in text
    assert r"Not \*better\*\." in text


def test_sentence_of_the_gate_is_not_repeated(sources: FakeSources) -> None:
    compare = make_step("compare", outputs={"sentence": "Refuse: p is large."})
    decision = make_decision(reasons=("p is large.", "No class is worse."))
    sources.learning.details = {7: make_detail(steps=(compare,), decision=decision)}
    assert pipelines_page().error[0].value.split("\n\n") == [
        r"Refuse\: p is large\.",
        r"- No class is worse\.",
    ]


@pytest.mark.usefixtures("sources")
def test_unstored_images_say_so() -> None:
    assert "2 images cannot be shown. Set `MNIST_PATH`" in visible_text(pipelines_page())


@pytest.mark.usefixtures("sources")
def test_seeds_have_mean_and_spread() -> None:
    text = visible_text(pipelines_page())
    assert "Validation accuracy 98.00 \N{PLUS-MINUS SIGN} 1.00 %" in text
    assert "Seed 2 is the candidate" in text


@pytest.mark.usefixtures("sources")
def test_link_to_an_unknown_run_says_so() -> None:
    assert "No run 99" in visible_text(pipelines_page(run="99"))


@pytest.mark.usefixtures("sources")
def test_link_that_is_no_number_says_so() -> None:
    assert "Unknown run" in visible_text(pipelines_page(run="x"))


def test_running_run_shows_progress_and_curves(sources: FakeSources) -> None:
    run = make_run(8, state="RUNNING", finished_at=None, verdict=None, gain=None)
    progress = {"training": "2 of 3", "seed": 7, "epoch": 5, "epochs": 12}
    sources.learning.details[8] = make_detail(
        run,
        steps=(
            make_step("ingest"),
            make_step("train", "RUNNING", progress=progress, typical_seconds=None),
        ),
        trainings=(make_training(1), make_training(2, None)),
        comparisons=(),
        decision=None,
    )
    app = pipelines_page()
    assert app.selectbox(key="run").value == "8"
    assert "training 2 of 3, seed 7, epoch 5 of 12" in app.get("progress")[0].proto.text.replace(
        "\\", ""
    )
    assert [one.label for one in app.button if one.label == "Cancel"] == ["Cancel"]
    assert len(app.get("echarts_chart")) == 3  # graph, seeds, loss


def test_failed_run_says_why_and_what_to_do(sources: FakeSources) -> None:
    failed = make_step("ingest", "FAILED", error="No *storage*.")
    run = make_run(state="FAILED", reason="No *storage*.", verdict=None, gain=None)
    sources.learning.details = {
        7: make_detail(run, steps=(failed,), trainings=(), comparisons=(), decision=None)
    }
    app = pipelines_page()
    text = visible_text(app)
    assert "The step ingest failed" in text
    assert r"No \*storage\*\. Remove the cause, then press Retry." in text
    app = press(app, "Retry", name="ann", reason="storage is back")
    assert sources.learning_api.calls == [("retry", 7, "ann", "storage is back")]


def test_canceled_run_can_be_retried(sources: FakeSources) -> None:
    run = make_run(state="CANCELLED", reason="Cancelled by ann: x", verdict=None, gain=None)
    sources.learning.details = {7: make_detail(run, steps=(), decision=None)}
    app = pipelines_page()
    assert "Press Retry" in visible_text(app)
    assert "Retry" in [one.label for one in app.button]


def test_open_run_can_be_canceled(sources: FakeSources) -> None:
    run = make_run(state="QUEUED", started_at=None, finished_at=None, verdict=None, gain=None)
    sources.learning.details = {7: make_detail(run, steps=(), trainings=(), decision=None)}
    app = pipelines_page()
    assert "waits for a worker" in visible_text(app)
    press(app, "Cancel", name="ann", reason="wrong data")
    assert sources.learning_api.calls == [("cancel", 7, "ann", "wrong data")]


def test_verdict_promote_waits_for_a_click(sources: FakeSources) -> None:
    sources.learning.details = {
        7: make_detail(make_run(verdict="PROMOTE"), decision=make_decision("PROMOTE"))
    }
    app = pipelines_page()
    assert "then press Promote" in app.success[0].value
    press(app, "Promote", name="ann", reason="better")
    assert sources.learning_api.calls == [("promote", 7, "ann", "better")]


def test_click_survives_a_change_in_the_strip(sources: FakeSources) -> None:
    """A candidate that has just been published changes the number of ready models."""
    sources.learning.details = {
        7: make_detail(make_run(verdict="PROMOTE"), decision=make_decision("PROMOTE"))
    }
    app = open_alone(framed_script)
    sources.served["ready_3"] = sources.served["ready_2"]
    press(app, "Promote", name="ann", reason="better")
    assert sources.learning_api.calls == [("promote", 7, "ann", "better")]


def test_promotion_in_force_can_be_rolled_back(sources: FakeSources) -> None:
    run = make_run(verdict="PROMOTE", is_promoted=True, is_champion=True)
    sources.learning.details = {7: make_detail(run, decision=make_decision("PROMOTE"))}
    press(pipelines_page(), "Roll back", name="ann", reason="misreads 7")
    assert sources.moved == [("digits", "champion", "back", "ann", "misreads 7")]


def test_first_champion_cannot_be_rolled_back(sources: FakeSources) -> None:
    run = make_run(verdict="PROMOTE", is_promoted=True, is_champion=True)
    decision = replace(make_decision("PROMOTE"), champion=None)
    sources.learning.details = {7: make_detail(run, decision=decision)}
    app = pipelines_page()
    assert "Roll back" not in [one.label for one in app.button]
    assert "| Constant answer correct |" in visible_text(app)


def test_promotion_of_an_earlier_champion_stays(sources: FakeSources) -> None:
    run = make_run(verdict="PROMOTE", is_promoted=True, is_rolled_back=True)
    sources.learning.details = {7: make_detail(run, decision=make_decision("PROMOTE"))}
    app = pipelines_page()
    labels = [one.label for one in app.button]
    assert ("Roll back" in labels, "Promote" in labels) == (False, False)
    assert app.dataframe[0].value["verdict"][0] == ["Rolled back"]


def test_undecided_run_asks_for_labels(sources: FakeSources) -> None:
    sources.learning.details = {
        7: make_detail(
            make_run(verdict="UNDECIDED"),
            decision=make_decision("UNDECIDED"),
            label_requests=300,
            labels_answered=112,
        )
    }
    app = pipelines_page()
    assert "Label the 188 images on the tab Label" in visible_text(app)
    assert app.get("progress")[0].proto.text == "112 of 300 labels answered"


def test_volunteered_corrections_decide_nothing(sources: FakeSources) -> None:
    sources.learning.details = {
        7: make_detail(
            comparisons=(make_comparison(image_set="corrections", decides=False, unanswered=6),)
        )
    }
    text = visible_text(pipelines_page())
    assert "decides nothing" in text
    assert "6 missing labels counted against the candidate" in text


@pytest.mark.parametrize(("seconds", "text"), [(None, "Start one"), (200.0, "3 min ago")])
def test_missing_worker_says_what_to_start(
    sources: FakeSources, seconds: float | None, text: str
) -> None:
    sources.learning.worker_seen_seconds = seconds
    shown = visible_text(pipelines_page())
    assert "No worker has been seen for 2 minutes" in shown
    assert ("make worker" in shown, text in shown) == (True, True)


@pytest.mark.usefixtures("sources")
def test_living_worker_needs_no_warning() -> None:
    assert "worker has been seen" not in visible_text(pipelines_page())


def test_no_runs_say_what_to_press(sources: FakeSources) -> None:
    sources.learning.details = {}
    assert "No runs yet" in visible_text(pipelines_page())


def test_older_runs_are_counted(sources: FakeSources) -> None:
    sources.learning.details = {number: make_detail(make_run(number)) for number in range(1, 26)}
    app = pipelines_page()
    assert "The newest 20 of 25 runs." in visible_text(app)
    app = next(one for one in app.button if one.label == "Show 5 more").click().run()
    assert len(app.dataframe[0].value) == 25


def test_database_down_keeps_the_runs(sources: FakeSources) -> None:
    sources.learning.problem = DOWN
    app = pipelines_page()
    assert "Last known data" in visible_text(app)
    assert len(app.dataframe[0].value) == 1


@pytest.mark.parametrize("tab", ["Runs", "Data", "Label", "Schedule"])
def test_database_that_was_never_up_offers_retry(sources: FakeSources, tab: str) -> None:
    sources.learning.problem, sources.learning.was_ever_up = DOWN, False
    app = pipelines_page(tab=tab)
    assert "db.example:5432" in visible_text(app)
    assert "Retry" in [one.label for one in app.button]


def test_retraining_stores_author_and_reason(sources: FakeSources) -> None:
    app = pipelines_page()
    form = next(one.form_id for one in app.button if one.label == "Retrain" and one.form_id)
    picker = next(one for one in app.selectbox if one.label == "Experiment")
    assert picker.form_id == form
    picker.set_value("ready_2")
    next(one for one in app.number_input if one.label == "Seeds").set_value(5)
    press(app, "Retrain", name="ann ", reason="new pens")
    assert sources.learning_api.calls == [
        ("retrain", "digits", "ready_2", 5, "latest", None, "ann", "new pens")
    ]


def test_search_varies_the_chosen_ranges(sources: FakeSources) -> None:
    app = pipelines_page()
    next(one for one in app.selectbox if one.label == "Experiment").set_value("ready_2")
    next(one for one in app.number_input if one.label == "Trials").set_value(8)
    next(one for one in app.slider if one.label == "Momentum").set_value((0.9, 0.9))
    next(one for one in app.multiselect if one.label == "Batch sizes").set_value([64, 32])
    press(app, "Retrain", name="ann", reason="new pens")
    [(*_, sweep, _, _)] = sources.learning_api.calls
    assert sweep == {"trials": 8, "learning_rate": [0.01, 0.1, "log"], "batch_size": [32, 64]}


def test_losses_of_a_running_training_add_up(sources: FakeSources) -> None:
    run = make_run(state="RUNNING", finished_at=None, verdict=None, gain=None)
    app = None
    for step, loss in ((100, 0.9), (200, 0.5)):
        progress = {"seed": 2, "step": step, "loss": loss}
        sources.learning.details = {
            7: make_detail(
                run,
                steps=(make_step("train", "RUNNING", progress=progress),),
                trainings=(make_training(2, None, curve=()),),
                comparisons=(),
                decision=None,
            )
        }
        app = pipelines_page() if app is None else app.run()
    assert app is not None
    assert app.session_state["live_losses"] == {(7, 2): {100.0: 0.9, 200.0: 0.5}}


def test_retraining_needs_every_field(sources: FakeSources) -> None:
    app = press(pipelines_page(), "Retrain", name="", reason="")
    assert "Fill in: Experiment, Your name, Reason" in visible_text(app)
    assert sources.learning_api.calls == []


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
    sources.learning.details = {
        7: make_detail(make_run(verdict="PROMOTE"), decision=make_decision("PROMOTE"))
    }
    sources.learning_api.error = error
    assert text in visible_text(press(pipelines_page(), "Promote", name="ann", reason="x"))


@pytest.mark.usefixtures("sources")
def test_data_tab_has_versions_lineage_and_rejects() -> None:
    app = pipelines_page(tab="Data")
    uploads, rejects, versions, counts = (one.value for one in app.dataframe)
    assert list(uploads["state"]) == [["Accepted"], ["Rejected"]]
    assert list(rejects["path"]) == ["7/a.png"]
    assert list(versions["added"]) == [12, 0]
    assert counts.iloc[0].to_dict() == {
        "label": "7",
        "train": 9,
        "validation": 0,
        "test": 3,
        "total": 12,
    }
    assert "base \N{RIGHTWARDS ARROW} `aaaaaaaa` \N{RIGHTWARDS ARROW} **`bbbbbbbb`**" in (
        visible_text(app)
    )


def test_no_datasets_say_where_they_come_from(sources: FakeSources) -> None:
    sources.learning.dataset_rows = pd.DataFrame(columns=["digest"])
    assert "No datasets yet" in visible_text(pipelines_page(tab="Data"))


def test_upload_is_sent_with_its_author(sources: FakeSources) -> None:
    app = pipelines_page(tab="Data")
    app.file_uploader[0].set_value(("pens.zip", b"zip", "application/zip"))
    press(app, "Add to the next run", name="cleo")
    assert sources.learning_api.calls == [("upload", "digits", "pens.zip", b"zip", "cleo")]


def test_upload_without_a_file_says_so(sources: FakeSources) -> None:
    app = press(pipelines_page(tab="Data"), "Add to the next run", name="cleo")
    assert ("Choose a file first" in visible_text(app), sources.learning_api.calls) == (True, [])


def label_page(sources: FakeSources, author: str = "ann") -> AppTest:
    """Open the tab with two requests and fill in the name."""
    sources.learning.requests = [make_request(1), make_request(2, "random")]
    app = pipelines_page(tab="Label")
    return app.text_input(key="label_author").set_value(author).run()


def test_label_needs_a_name(sources: FakeSources) -> None:
    assert "Fill in your name" in visible_text(label_page(sources, author=""))


def test_label_progress_counts_answers(sources: FakeSources) -> None:
    sources.learning.answered, sources.learning.labels_waiting = 112, 1
    app = label_page(sources)
    assert app.get("progress")[0].proto.text == "**112 of 114** labeled"
    assert "1 label waits for the next run" in visible_text(app)
    assert "Champion and candidate disagree on it" in visible_text(app)


def test_no_label_requests_say_what_to_press(sources: FakeSources) -> None:
    app = pipelines_page(tab="Label")
    assert "No images to label" in visible_text(app)
    press(app, "Ask", name="ann")
    assert sources.learning_api.calls == [("request_labels", "digits", 50, "ann")]


def test_no_schedule_offers_one(sources: FakeSources) -> None:
    app = pipelines_page(tab="Schedule")
    assert "digits has no schedule" in visible_text(app)
    next(one for one in app.selectbox if one.label == "Experiment").set_value("ready_1")
    press(app, "Save", name="ann")
    [(_, task, values)] = sources.learning_api.calls
    assert (task, values["cron"], values["experiment"], values["enabled"], values["params"]) == (
        "digits",
        "0 3 * * 1",
        "ready_1",
        True,
        {"seeds": 3},
    )


def test_schedule_keeps_its_other_parameters(sources: FakeSources) -> None:
    sources.learning.schedule = Schedule(
        task="digits",
        cron="5 4 * * *",
        experiment_name="ready_1",
        params={"seeds": 5, "sweep": {"trials": 8}},
        enabled=False,
        changed_by="ben",
        changed_at=NOW - timedelta(days=1),
        last_fired_at=None,
    )
    app = pipelines_page(tab="Schedule")
    assert "It has not started a run yet" in visible_text(app)
    press(app, "Save", name="ann")
    [(_, _, values)] = sources.learning_api.calls
    assert (values["params"], values["enabled"]) == ({"seeds": 5, "sweep": {"trials": 8}}, False)


def test_schedule_is_deleted(sources: FakeSources) -> None:
    sources.learning.schedule = Schedule(
        "digits",
        "5 4 * * *",
        "ready_1",
        {},
        enabled=True,
        changed_by="ben",
        changed_at=NOW,
        last_fired_at=NOW,
    )
    press(pipelines_page(tab="Schedule"), "Delete")
    assert sources.learning_api.calls == [("delete_schedule", "digits")]


def test_dead_workers_are_counted(sources: FakeSources) -> None:
    sources.learning.details = {7: make_detail(replace(make_run(), deaths=2))}
    assert "2 workers died" in badges(pipelines_page())


@pytest.fixture
def presses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Keys that are pressed one by one, because the component has no JavaScript here."""
    waiting: list[str] = []
    monkeypatch.setattr(
        labeling, "show_label_keys", lambda *_, **__: waiting.pop(0) if waiting else None
    )
    yield waiting
    assert waiting == []


def test_keys_label_skip_and_undo(sources: FakeSources, presses: list[str]) -> None:
    presses += ["4", UNDO, SKIP]
    label_page(sources)
    assert sources.learning_api.calls == [
        ("answer", "p1", "4", "ann", 1),
        ("withdraw", "p1", "ann"),
        ("skip", 2, "ann"),
    ]


def test_rejected_label_says_why(sources: FakeSources, presses: list[str]) -> None:
    sources.learning_api.error = ApiProblemError(409, "Conflict", "It has the label *3*.")
    presses.append("4")
    assert r"It has the label \*3\*\. Skip the image" in visible_text(label_page(sources))


def test_key_of_another_task_does_nothing(sources: FakeSources, presses: list[str]) -> None:
    presses.append("even")
    label_page(sources)
    assert sources.learning_api.calls == []

"""Run page in each state, without a browser."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fakes import DOWN, HOSTILE, FakeSources, open_alone, visible_text
from tests.support.images import encoded
from tests.support.tracking import RUN_ID, make_model, make_prediction, make_run
from web.data.api_types import ApiProblemError, ApiUnreachableError
from web.data.tracking.types import Artifact, Curve

NOTE = "Note in Markdown"


def run_script() -> None:
    """Run the Run page as app.py does."""
    import web.sources  # noqa: PLC0415
    from web.views.run import page  # noqa: PLC0415

    page.show(web.sources.get_sources())


def run_page(**query: str) -> AppTest:
    app = open_alone(run_script, **query)
    assert [one.value for one in app.exception] == []
    return app


def press(app: AppTest, label: str) -> AppTest:
    next(one for one in app.button if one.label == label).click()
    app.run()
    assert [one.value for one in app.exception] == []
    return app


def labels(app: AppTest) -> list[str]:
    return [one.label for one in app.button]


def test_run_shows_its_facts(sources: FakeSources) -> None:
    sources.tracking.runs["lenet"] = make_run(params={"batch_size": 64}, owner="ann")
    app = run_page(name="lenet")
    assert [one.value for one in app.header] == ["lenet"]
    shown = visible_text(app)
    for text in ("Finished", "Task digits", "Project Default", "Source MLflow", "ann"):
        assert text in shown
    [parameters] = [one.value for one in app.dataframe if "parameter" in one.value]
    assert list(parameters["parameter"]) == ["learning_rate", "batch_size"]
    assert len(app.get("echarts_chart")) == 1


def test_run_id_leads_to_the_name(sources: FakeSources) -> None:
    sources.tracking.runs["lenet"] = make_run()
    app = run_page(id=RUN_ID)
    assert [one.value for one in app.header] == ["lenet"]
    assert "id" not in app.query_params
    assert app.query_params["name"] == "lenet"


@pytest.mark.usefixtures("sources")
def test_unknown_run_id_is_told() -> None:
    assert "No run has the id abc" in visible_text(run_page(id="abc"))


def test_previous_name_leads_to_the_new_one(sources: FakeSources) -> None:
    sources.tracking.runs["lenet"] = make_run(previous_names=("old",))
    app = run_page(name="old")
    assert [one.value for one in app.header] == ["lenet"]
    assert "old was renamed. Its name is now [lenet](run?name=lenet)" in visible_text(app)


@pytest.mark.usefixtures("sources")
def test_unknown_name_has_similar_ones() -> None:
    shown = visible_text(run_page(name="redy_1"))
    assert "No experiment has the name redy\\_1" in shown
    assert "(run?name=ready_1)" in shown


@pytest.mark.usefixtures("sources")
def test_page_without_a_name_asks_for_one() -> None:
    assert "Choose an experiment" in visible_text(run_page())


def test_database_down_keeps_the_frame(sources: FakeSources) -> None:
    sources.tracking.problem = DOWN
    shown = visible_text(run_page(name="lenet"))
    assert DOWN in shown
    assert "No run to show" in shown


def test_hostile_name_is_text(sources: FakeSources) -> None:
    sources.tracking.runs[HOSTILE] = make_run(HOSTILE, note="<b>x</b> ![a](http://x/y.png)")
    app = run_page(name=HOSTILE)
    assert "](http" not in app.header[0].value
    [note] = [one for one in app.markdown if "<b>" in one.value]
    assert not note.allow_html
    assert "![" not in note.value


def test_silent_run_is_marked(sources: FakeSources) -> None:
    sources.tracking.runs["lenet"] = make_run(
        state="running", ended_at=None, silent_since=datetime.now(UTC)
    )
    assert "Silent\\, last request just now" in visible_text(run_page(name="lenet"))


def test_run_without_points_says_so(sources: FakeSources) -> None:
    sources.tracking.curve_list = ()
    sources.tracking.runs["lenet"] = make_run(state="running", ended_at=None)
    assert "No points yet" in visible_text(run_page(name="lenet"))


def test_each_quantity_has_a_chart(sources: FakeSources) -> None:
    names = ("loss", "validation_loss", "accuracy", "f1", "memory")
    sources.tracking.curve_list = tuple(Curve(name, (1, 2), (0.5, 0.25)) for name in names)
    app = run_page(name="lenet")
    assert len(app.get("echarts_chart")) == 4
    [results] = [one.value for one in app.dataframe if "best_step" in one.value]
    assert sorted(results["metric"]) == sorted(names)


def test_note_is_edited_in_place(sources: FakeSources) -> None:
    app = press(run_page(name="lenet"), "Edit note")
    app.text_area[0].set_value("Lower *rate*")
    app.text_input(key=f"note-author-{sources.tracking.runs['lenet'].id}").set_value("ann")
    press(app, "Save note")
    assert sources.tracking.runs["lenet"].note == "Lower *rate*"
    assert sources.tracking_api.authors == ["ann"]
    assert "Lower *rate*" in visible_text(app)
    assert "Revision 1 by ann." in visible_text(app)
    assert "Edit note" in labels(app)


def test_two_notes_are_both_shown(sources: FakeSources) -> None:
    app = press(run_page(name="lenet"), "Edit note")
    run = sources.tracking.runs["lenet"]
    sources.tracking.runs["lenet"] = replace(run, note="of bob", note_revision=1)
    app.text_area[0].set_value("of ann")
    press(app, "Save note")
    assert sources.tracking.runs["lenet"].note == "of bob"
    assert [one.value for one in app.code if one.value == "of bob"] == ["of bob"]
    assert app.text_area[0].value == "of ann"
    app.text_area[0].set_value("of ann and bob")
    press(app, "Save note")
    assert sources.tracking.runs["lenet"].note == "of ann and bob"


def test_other_note_can_be_kept(sources: FakeSources) -> None:
    app = press(run_page(name="lenet"), "Edit note")
    run = sources.tracking.runs["lenet"]
    sources.tracking.runs["lenet"] = replace(run, note="of bob", note_revision=1)
    app.text_area[0].set_value("of ann")
    press(press(app, "Save note"), "Keep the other note")
    assert "of bob" in visible_text(app)
    assert not app.text_area


def test_note_stays_while_the_api_is_down(sources: FakeSources) -> None:
    sources.tracking_api.error = ApiUnreachableError("No response.")
    app = press(run_page(name="lenet"), "Edit note")
    app.text_area[0].set_value("of ann")
    press(app, "Save note")
    assert "does not respond" in visible_text(app)
    assert app.text_area[0].value == "of ann"


def test_tags_are_added_and_removed(sources: FakeSources) -> None:
    app = run_page(name="lenet")
    key, value = app.text_input
    key.set_value("dataset")
    value.set_value("v2")
    press(app, "Add tag")
    assert sources.tracking.runs["lenet"].tags == {"dataset": "v2"}
    assert "Last changed by dashboard." in visible_text(app)
    press(app, "dataset: v2")
    assert sources.tracking.runs["lenet"].tags == {}


def test_refused_tag_has_its_reason(sources: FakeSources) -> None:
    sources.tracking_api.error = ApiProblemError(400, "Malformed request", "Too many tags.")
    app = run_page(name="lenet")
    app.text_input[0].set_value("dataset")
    press(app, "Add tag")
    assert "Too many tags" in visible_text(app)


def test_models_have_test_and_live_accuracy(sources: FakeSources) -> None:
    sources.tracking.models = (make_model(2, images=10, correct=9), make_model(1))
    app = run_page(name="lenet")
    [models] = [one.value for one in app.dataframe if "live" in one.value]
    assert list(models["version"]) == ["models?m=lenet@2", "models?m=lenet@1"]
    assert "10 images" in models["live"][0]


def test_predictions_link_to_the_history(sources: FakeSources) -> None:
    sources.tracking.predictions = [make_prediction(1, true_label="1"), make_prediction(2)]
    shown = visible_text(run_page(name="lenet"))
    assert "(history?experiment=lenet)" in shown
    assert "(history?experiment=lenet&only=Wrong)" in shown
    assert {one.experiment for one in sources.tracking.filters} == {"lenet"}


def test_artifacts_show_with_the_refused_ones(sources: FakeSources) -> None:
    sources.tracking.artifact_list = (
        Artifact("log.txt", "text/plain", 5, None),
        Artifact("gone.txt", "text/plain", 5, None),
        Artifact("model.h5", "application/octet-stream", 10**7, "Publish it."),
        Artifact("plot.png", "image/png", 99, None),
    )
    image = encoded(np.zeros((28, 28), np.uint8))
    sources.tracking_api.files = {"log.txt": b"<i>epoch 1</i>", "plot.png": image}
    app = run_page(name="lenet")
    assert "<i>epoch 1</i>" in [one.value for one in app.code]
    [refused] = [one.value for one in app.dataframe if "reason" in one.value]
    assert refused.to_numpy().tolist() == [["model.h5", "10.0\N{NO-BREAK SPACE}MB", "Publish it."]]
    app.selectbox[1].set_value("gone.txt").run()
    assert "does not respond" in visible_text(app)

"""History page in each state, without a browser."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fakes import DOWN, FakeSources, open_alone, visible_text
from tests.support.tracking import make_prediction
from web.components.label_keys import SKIP, UNDO
from web.data.api_types import ApiProblemError, Label
from web.data.tracking.history_types import HistoryFilter, ModelAnswer
from web.views.history import labeling


def history_script() -> None:
    """Run the History page as app.py does."""
    import web.sources  # noqa: PLC0415
    from web.views.history import page  # noqa: PLC0415

    page.show(web.sources.get_sources())


def history_page(**query: str | list[str]) -> AppTest:
    app = open_alone(history_script, **query)
    assert [one.value for one in app.exception] == []
    return app


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys that the next runs press, one each."""
    waiting: list[str] = []
    monkeypatch.setattr(
        labeling, "show_label_keys", lambda *_, **__: waiting.pop(0) if waiting else None
    )
    return waiting


def chosen(app: AppTest) -> str:
    return str(next(one.key for one in app.button if one.proto.type == "primary"))


@pytest.mark.usefixtures("sources")
def test_empty_history_says_how_to_fill_it() -> None:
    shown = visible_text(history_page())
    assert "Draw a digit on Predict" in shown
    assert "No labels yet" in shown


def test_database_down_keeps_the_frame(sources: FakeSources) -> None:
    sources.tracking.problem = DOWN
    assert DOWN in visible_text(history_page())


def test_link_sets_every_filter(sources: FakeSources) -> None:
    history_page(experiment="lenet@2", **{"class": "7"}, only=["Wrong"], below="60", program="curl")
    assert sources.tracking.filters[-1] == HistoryFilter(
        experiment="lenet",
        version=2,
        label="7",
        is_wrong=True,
        below=0.6,
        source="curl",
        is_once=True,
    )


def test_unknown_experiment_of_a_link_finds_nothing(sources: FakeSources) -> None:
    app = history_page(experiment="nobody")
    assert "No prediction matches" in visible_text(app)
    assert sources.tracking.filters[-1].experiment == "nobody"
    next(one for one in app.button if one.label == "Clear the filters").click().run()
    assert sources.tracking.filters[-1].experiment is None


def test_thumbnails_are_paged(sources: FakeSources) -> None:
    sources.tracking.predictions = [make_prediction(number) for number in range(1, 60)]
    app = history_page()
    assert len([one for one in app.button if str(one.key).startswith("choose-")]) == 48
    next(one for one in app.button if one.label == "Older").click().run()
    assert len([one for one in app.button if str(one.key).startswith("choose-")]) == 11
    next(one for one in app.button if one.label == "Newest").click().run()
    assert "before" not in app.query_params


def test_key_labels_the_image_and_shows_the_next(sources: FakeSources, pressed: list[str]) -> None:
    sources.tracking.predictions = [make_prediction(1), make_prediction(2)]
    app = history_page()
    app.text_input(key=labeling.AUTHOR_KEY).set_value("ann").run()
    pressed.append("1")
    app.run()
    assert sources.stored_label is not None
    assert (sources.stored_label.label, sources.stored_label.labelled_by) == ("1", "ann")
    assert chosen(app) == f"choose-{2:032x}"
    pressed.append(UNDO)
    app.run()
    assert sources.learning_api.calls[-1][0] == "withdraw"
    assert chosen(app) == f"choose-{1:032x}"


def test_label_replaces_the_one_that_is_shown(sources: FakeSources, pressed: list[str]) -> None:
    sources.tracking.predictions = [make_prediction(1, true_label="4")]
    sources.stored_label = Label("4", "bob", make_prediction().created_at)
    app = history_page()
    app.text_input(key=labeling.AUTHOR_KEY).set_value("ann").run()
    pressed.append("9")
    app.run()
    assert sources.stored_label.label == "9"
    pressed.append(UNDO)
    sources.tracking.predictions = [make_prediction(1, true_label="9")]
    app.run()
    assert sources.stored_label.label == "4"


def test_skipped_image_stays_without_a_label(sources: FakeSources, pressed: list[str]) -> None:
    sources.tracking.predictions = [make_prediction(1), make_prediction(2)]
    app = history_page()
    app.text_input(key=labeling.AUTHOR_KEY).set_value("ann").run()
    pressed.append(SKIP)
    app.run()
    assert sources.stored_label is None
    assert chosen(app) == f"choose-{2:032x}"


def test_failure_keeps_the_image(sources: FakeSources, pressed: list[str]) -> None:
    sources.tracking.predictions = [make_prediction(1), make_prediction(2)]
    sources.api_error = ApiProblemError(409, "Label conflict", "The image has the label 4.")
    app = history_page()
    app.text_input(key=labeling.AUTHOR_KEY).set_value("ann").run()
    pressed.append("9")
    app.run()
    assert "The image has the label 4" in visible_text(app)
    assert chosen(app) == f"choose-{1:032x}"


def test_disagreeing_answers_are_all_shown(sources: FakeSources) -> None:
    sources.tracking.predictions = [make_prediction(1, disagrees=True, true_label="4")]
    sources.tracking.answer_list = (
        ModelAnswer("lenet", 1, "7", 0.9),
        ModelAnswer("mlp", 1, "4", 0.8),
    )
    app = history_page()
    assert "Models disagree" in visible_text(app)
    [answers] = [one.value for one in app.dataframe if "is_right" in one.value]
    assert list(answers["is_right"]) == [False, True]


def test_image_that_is_not_stored_has_a_text(sources: FakeSources) -> None:
    sources.tracking.predictions = [replace(make_prediction(1), pixels=None)]
    assert "Image not stored" in visible_text(history_page())


@pytest.mark.usefixtures("sources")
def test_invalid_position_shows_the_newest() -> None:
    assert "No predictions yet" in "".join(
        str(one.proto.title) for one in history_page(before="x").info
    )


def test_number_of_matches_is_shown(sources: FakeSources) -> None:
    sources.tracking.predictions = [make_prediction(number) for number in range(1, 60)]
    assert "Showing 48 of 59." in visible_text(history_page())


def test_link_restores_the_chosen_image(sources: FakeSources) -> None:
    """It is first if it is not among the newest images."""
    sources.tracking.predictions = [make_prediction(number) for number in range(1, 60)]
    app = history_page()
    second = [str(one.key) for one in app.button if str(one.key).startswith("choose-")][1]
    app.button(key=second).click().run()
    assert app.query_params["image"] == second.removeprefix("choose-")
    oldest = f"{59:032x}"
    linked = history_page(image=oldest)
    assert chosen(linked) == f"choose-{oldest}"
    assert len([one for one in linked.button if str(one.key).startswith("choose-")]) == 49


def test_unknown_image_of_a_link_shows_the_first(sources: FakeSources) -> None:
    sources.tracking.predictions = [make_prediction(1)]
    assert chosen(history_page(image="nonsense")) == f"choose-{1:032x}"


def test_names_of_answers_link_to_their_runs(sources: FakeSources) -> None:
    sources.tracking.predictions = [make_prediction(1)]
    sources.tracking.answer_list = (ModelAnswer("lenet", 2, "7", 0.9),)
    [answers] = [one.value for one in history_page().dataframe if "is_right" in one.value]
    assert list(answers["model"]) == ["run?name=lenet#lenet%402"]

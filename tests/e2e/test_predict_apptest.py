"""Predict page in each state, without a browser."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fakes import DOWN, HOSTILE, FakeSources, linked_names, visible_text
from tests.support.photos import noisy_photo
from web.data.api_types import ApiProblemError, ApiUnreachableError, ImageResult, Label


def predict_script() -> None:
    """Run the Predict page as app.py does."""
    import web.sources  # noqa: PLC0415
    from web.components.experiment_picker import pick_experiments  # noqa: PLC0415
    from web.views.predict import page  # noqa: PLC0415

    sources = web.sources.get_sources()
    snapshot = sources.snapshot().value
    selection = pick_experiments(
        None if snapshot is None else snapshot.task_of,
        other_names={} if snapshot is None else snapshot.other_names,
    )
    page.show(sources, selection)


def predict_page(*files: tuple[str, bytes], **query: str | list[str]) -> AppTest:
    app = AppTest.from_function(predict_script, default_timeout=20)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    if files:
        app.session_state["input"] = ":material/upload: Upload"
        app.file_uploader(key="uploads").set_value(
            [(name, data, "image/png") for name, data in files]
        )
        app.run()
    return app


def test_blank_canvas_sends_no_request(sources: FakeSources) -> None:
    app = predict_page()
    assert (sources.calls, "Draw a digit to see predictions" in visible_text(app)) == (0, True)


@pytest.mark.usefixtures("sources")
def test_upload_is_predicted_by_every_selected_model() -> None:
    app = predict_page(("seven.png", b"seven"))
    assert linked_names(app.dataframe[0].value["experiment"]) == ["1", "2", HOSTILE]
    assert next(iter(app.dataframe[0].value["note"])) == "champion"


@pytest.mark.usefixtures("sources")
def test_consensus_and_dissent_are_find_visible() -> None:
    app = predict_page(("seven.png", b"seven"))
    assert (
        "2 of 3 models agree" in visible_text(app),
        r"says **1**" in visible_text(app),
    ) == (True, True)


def test_champion_stands_before_the_consensus(sources: FakeSources) -> None:
    sources.predicted = {"ready_1": "4"}
    app = predict_page(("seven.png", b"seven"))
    text = visible_text(app)
    assert [header.value for header in app.header] == ["4"]
    assert text.index("**Champion** ready\\_1") < text.index("**Consensus 7**: 2 of 3 models agree")


@pytest.mark.usefixtures("sources")
def test_champion_is_asked_without_being_selected() -> None:
    app = predict_page(("seven.png", b"seven"), experiments=["ready_2"])
    assert linked_names(app.dataframe[0].value["experiment"]) == ["1", "2"]  # without ready_


def test_failed_and_untrained_models_do_not_vote(sources: FakeSources) -> None:
    sources.unfit = {"ready_2": ("diverged", None), HOSTILE: ("finished", 0.1135)}
    app = predict_page(("seven.png", b"seven"))
    text = visible_text(app)
    assert "**Consensus 7**: Prediction of one model" in text
    assert "Not in the consensus: ready\\_2 (diverged)" in text
    assert "(test accuracy 11\N{NO-BREAK SPACE}%)" in text
    assert list(app.dataframe[0].value["note"]) == ["champion", "no vote", "no vote"]


def test_tasks_have_separate_consensus(sources: FakeSources) -> None:
    sources.served["ready_2"] = replace(sources.served["ready_2"], task="parity")
    sources.predicted = {"ready_2": "odd"}
    app = predict_page(("seven.png", b"seven"))
    assert [header.value for header in app.header] == ["7", "odd"]
    assert ("Task parity" in visible_text(app), " says " in visible_text(app)) == (True, False)


@pytest.mark.usefixtures("sources")
def test_experiment_without_a_model_is_skipped() -> None:
    app = predict_page(("seven.png", b"seven"))
    assert ("Skipped (no model file): bare" in visible_text(app), len(app.error)) == (True, 0)


@pytest.mark.usefixtures("sources")
def test_bad_file_is_a_row_with_its_reason() -> None:
    app = predict_page(("a.png", b"seven"), ("b.png", b"bad"), ("c.png", b"other"))
    assert [box.value for box in app.error] == [r"This is \*not\* an image\."]
    gallery = app.dataframe[0].value
    assert (list(gallery["answer"].fillna("")), list(gallery["agree"].fillna(""))) == (
        ["7", "", "7"],
        ["2 of 3", "", "2 of 3"],
    )
    assert list(gallery["note"]) == [
        "other labels: 1",
        "This is *not* an image.",
        "other labels: 1",
    ]
    assert (
        "2 of 3 images predicted" in visible_text(app),
        visible_text(app).count("models agree"),
    ) == (
        True,
        1,
    )


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize(
    ("image", "title"),
    [
        (b"blank", "No digit found in this image"),
        (b"two", r"Several digits \(2\)\: the models read one of them"),
    ],
)
def test_warned_image_is_told_in_words_without_a_digit(image: bytes, title: str) -> None:
    app = predict_page(("sheet.png", image))
    assert [box.proto.title for box in app.warning] == [title]
    assert [header.value for header in app.header] == []
    assert "models agree" not in visible_text(app)
    assert [group.label for group in app.button_group if group.label == "Correct label"] == []
    assert [box.label for box in app.expander][:1] == ["Answers of the models (not counted)"]
    assert list(app.dataframe[0].value["answer"]) == ["7", "7", "1"]


@pytest.mark.usefixtures("sources")
def test_warned_images_are_rows_without_an_answer() -> None:
    app = predict_page(("a.png", b"blank"), ("b.png", b"two"), ("c.png", b"seven"))
    gallery = app.dataframe[0].value
    assert list(gallery["answer"].fillna("")) == ["", "", "7"]
    assert list(gallery["note"]) == ["No digit found", "Several digits (2)", "other labels: 1"]
    assert "1 of 3 images predicted. 2 without a digit or with several." in visible_text(app)
    assert "2 of 3 models agree" in visible_text(app)  # of the third image


def test_large_photo_is_reduced_once(sources: FakeSources, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = noisy_photo()
    sent: list[bytes] = []
    predict = sources.predict

    def record(images: Sequence[bytes], names: Sequence[str], **options: bool) -> list[ImageResult]:
        sent.extend(images)
        return predict(images, names, **options)

    monkeypatch.setattr(sources, "predict", record)
    app = predict_page(("photo.jpg", photo))
    [image] = sent
    assert len(image) < 2**21 < len(photo)
    assert "1 image reduced to at most 2048 pixels" in visible_text(app)
    [kept] = app.session_state["read_uploads"].values()
    app.run()
    assert list(app.session_state["read_uploads"].values()) == [kept]
    assert kept.data is image


def test_unusable_upload_is_a_row_and_is_not_sent(sources: FakeSources) -> None:
    app = predict_page(("a.png", b"seven"), ("b.jpg", b"text" * 2**20))
    assert list(app.dataframe[0].value["answer"].fillna("")) == ["7", ""]
    [error] = app.error
    assert "broken or not a supported image" in error.value
    app = predict_page(("b.jpg", b"text" * 2**20))
    assert (len(app.error), sources.calls) == (1, 1)


@pytest.mark.usefixtures("sources")
def test_click_stores_the_correct_label(sources: FakeSources) -> None:
    app = predict_page(("seven.png", b"seven"))
    app.button_group(key="label-p").set_value("4").run()
    assert sources.stored_label is not None
    assert (
        sources.stored_label.label,
        sources.stored_label.labelled_by,
        "Labeled 4" in visible_text(app),
    ) == (
        "4",
        "dashboard",
        True,
    )
    app.button_group(key="label-p").set_value("9").run()
    assert (sources.stored_label.label, "Labeled 9" in visible_text(app)) == ("9", True)


def test_stored_label_says_how_many_wait(sources: FakeSources) -> None:
    sources.learning.labels_waiting = 12
    app = predict_page(("seven.png", b"seven"))
    app.button_group(key="label-p").set_value("4").run()
    assert "12 labels wait for the next run on [Pipelines](pipelines)." in visible_text(app)


def test_stored_label_can_be_withdrawn(sources: FakeSources) -> None:
    app = predict_page(("seven.png", b"seven"))
    app.button_group(key="label-p").set_value("4").run()
    app.button(key="withdraw-p").click().run()
    assert sources.learning_api.calls == [("withdraw", "p", "dashboard")]
    assert ("Labeled 4" in visible_text(app), app.button_group(key="label-p").value) == (
        False,
        None,
    )


def test_withdrawal_that_fails_keeps_the_label(sources: FakeSources) -> None:
    app = predict_page(("seven.png", b"seven"))
    app.button_group(key="label-p").set_value("4").run()
    sources.learning_api.error = ApiProblemError(503, "Unavailable", "No database.")
    app.button(key="withdraw-p").click().run()
    assert "Labeled 4" in visible_text(app)


def test_stored_label_shows_in_a_new_session(sources: FakeSources) -> None:
    sources.stored_label = Label("4", "*ann*", datetime(2026, 1, 31, 12, 0, tzinfo=UTC))
    app = predict_page(("seven.png", b"seven"))
    assert r"Labeled 4 by \*ann\*" in visible_text(app)
    app.text_input(key="label-author").set_value(" ben ").run()
    app.button(key="withdraw-p").click().run()
    assert sources.learning_api.calls == [("withdraw", "p", "ben")]


def test_label_has_the_name_of_its_author(sources: FakeSources) -> None:
    app = predict_page(("seven.png", b"seven"))
    app.text_input(key="label-author").set_value("ann").run()
    app.button_group(key="label-p").set_value("4").run()
    assert sources.stored_label is not None
    assert (sources.stored_label.labelled_by, "Labeled 4 by ann" in visible_text(app)) == (
        "ann",
        True,
    )


def test_existing_label_is_replaced_only_on_request(sources: FakeSources) -> None:
    sources.stored_label = Label("1", "*ann*", datetime(2026, 1, 31, 12, 0, tzinfo=UTC))
    app = predict_page(("seven.png", b"seven"))
    app.button_group(key="label-p").set_value("4").run()
    assert r"Already labeled 1 (by \*ann\*)" in visible_text(app)
    assert "Labeled on 2026-01-31 at 12:00 UTC" in visible_text(app)
    assert sources.stored_label.label == "1"
    next(button for button in app.button if button.label == "Replace 1 with 4").click().run()
    assert (sources.stored_label.label, "Labeled 4" in visible_text(app)) == ("4", True)


def test_label_that_is_not_stored_shows_the_reason(sources: FakeSources) -> None:
    sources.api_error = ApiProblemError(503, "Database unavailable", "Postgres is *away*.")
    app = predict_page(("seven.png", b"seven"))
    app.button_group(key="label-p").set_value("4").run()
    assert r"Postgres is \*away\*\. Click again in a moment." in visible_text(app)


def test_api_without_prediction_log_offers_no_labels(sources: FakeSources) -> None:
    sources.stores_predictions = False
    app = predict_page(("seven.png", b"seven"))
    assert "label-p" not in app.session_state


@pytest.mark.usefixtures("sources")
def test_sample_digit_is_predicted() -> None:
    app = AppTest.from_function(predict_script, default_timeout=20)
    app.query_params["example"] = "3"
    app.run()
    assert "2 of 3 models agree" in visible_text(app)


@pytest.mark.usefixtures("sources")
def test_curl_command_has_file_and_experiments() -> None:
    app = predict_page(("a;b.png", b"seven"), experiments=["ready_1"])
    assert app.code[0].value == (
        """curl \\\n  -F 'images=@"a;b.png"' \\\n"""
        "  'http://localhost:9090/api/v1.0/predictions?experiments=ready_1'"
    )


def test_many_files_are_one_request(sources: FakeSources) -> None:
    predict_page(*[(f"{number}.png", str(number).encode()) for number in range(10)])
    assert sources.calls == 1


def test_api_down_offers_retry(sources: FakeSources) -> None:
    sources.api_problem = "The inference API does not respond."
    app = predict_page()
    assert (
        "The inference API is down" in visible_text(app),
        [button.label for button in app.button],
    ) == (
        True,
        ["Retry"],
    )


@pytest.mark.usefixtures("sources")
def test_api_outage_during_a_request_offers_retry() -> None:
    app = predict_page(("seven.png", b"gone"))
    assert (
        "The inference API is down" in visible_text(app),
        [button.label for button in app.button],
    ) == (
        True,
        ["Retry"],
    )


@pytest.mark.usefixtures("sources")
def test_experiments_without_models_offer_all_models() -> None:
    app = predict_page(experiments=["bare"])
    assert "Switch on *Use all 3 models*" in visible_text(app)


def test_only_model_is_named_as_such(sources: FakeSources) -> None:
    ready = [name for name, model in sources.served.items() if model.state == "READY"]
    sources.served = {ready[0]: sources.served[ready[0]]}
    assert predict_page().toggle[0].label == "Use the only model"


@pytest.mark.usefixtures("sources")
def test_all_models_can_be_used() -> None:
    app = predict_page(experiments=["bare"])
    app.toggle(key="all").set_value(True).run()
    assert "3 models ready" in visible_text(app)


def test_database_down_keeps_predictions(sources: FakeSources) -> None:
    sources.database_problem, sources.was_ever_up = DOWN, False
    app = predict_page(experiments=["ready_1", "ready_2"])
    assert "2 models ready" in visible_text(app)


def switch_why_on(app: AppTest) -> AppTest:
    app.toggle(key="why").set_value(True).run()
    return app


def test_why_is_asked_for_only_when_switched_on(sources: FakeSources) -> None:
    app = predict_page(("seven.png", b"seven"))
    assert (sources.explained, app.toggle(key="why").value) == ([], False)
    switch_why_on(app)
    assert sources.explained == [["ready_1", "ready_2", HOSTILE]]
    app.run()  # the session keeps the maps
    assert len(sources.explained) == 1


@pytest.mark.usefixtures("sources")
def test_why_names_each_model_with_its_strongest_patch() -> None:
    text = visible_text(switch_why_on(predict_page(("seven.png", b"seven"))))
    assert text.count("one patch \N{MINUS SIGN}40 points") == 3
    assert "Full color is a change of 40 points, for all models." in text


@pytest.mark.usefixtures("sources")
def test_why_is_restored_from_the_link() -> None:
    app = predict_page(("seven.png", b"seven"), why="true")
    assert "one patch" in visible_text(app)


def test_why_without_a_map_shows_the_reason(sources: FakeSources) -> None:
    sources.unexplained = ("ready_1",)
    app = switch_why_on(predict_page(("seven.png", b"seven")))
    assert r"ready\_1: It \*compiles\*\." in visible_text(app)
    sources.unexplained = ()
    app.run()  # a problem is not kept
    assert "compiles" not in visible_text(app)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ApiUnreachableError("gone"), "The maps appear when the API is back."),
        (ApiProblemError(404, "Not Found", "No *such* path."), r"No \*such\* path\."),
    ],
)
def test_why_of_an_api_that_fails_keeps_the_predictions(
    sources: FakeSources, error: Exception, text: str
) -> None:
    sources.explain_error = error
    app = switch_why_on(predict_page(("seven.png", b"seven")))
    assert text in visible_text(app)
    assert ("2 of 3 models agree" in visible_text(app), len(app.exception)) == (True, 0)


@pytest.mark.usefixtures("sources")
def test_why_is_not_offered_without_a_digit() -> None:
    for app in (predict_page(), predict_page(("sheet.png", b"blank"))):
        assert [one.key for one in app.toggle if one.key == "why"] == []


def test_archived_model_answers_only_if_it_is_picked(sources: FakeSources) -> None:
    sources.archived = {"ready_2"}
    by_all = predict_page(("seven.png", b"seven"), all="true")
    picked = predict_page(("seven.png", b"seven"), experiments=["ready_2"])
    names = [linked_names(app.dataframe[0].value["experiment"]) for app in (by_all, picked)]
    assert names == [["ready_1", HOSTILE], ["1", "2"]]  # the latter without ready_
    assert "Use all 2 models" in [toggle.label for toggle in by_all.toggle]

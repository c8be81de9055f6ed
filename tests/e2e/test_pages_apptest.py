"""The pages without a browser: what they say in each state.

Sources are fakes that a test breaks at will.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import web.sources
from tests.support.fakes import APP, DOWN, HOSTILE, FakeSources, open_page, words
from web.data.api_client import ApiProblemError, Label
from web.data.queries import ImportedFile
from web.settings import Settings
from web.sources import make_sources


@pytest.mark.usefixtures("sources")
def test_the_leaderboard_shows_the_newest_experiments_and_their_curves() -> None:
    app = open_page(latest="2")
    assert set(app.dataframe[-1].value["experiment"]) == {"ready_2", HOSTILE}


@pytest.mark.usefixtures("sources")
def test_a_link_restores_a_free_choice() -> None:
    app = open_page(experiments=["bare", "ready_1"])
    assert set(app.dataframe[-1].value["experiment"]) == {"bare", "ready_1"}


@pytest.mark.usefixtures("sources")
def test_a_link_to_an_experiment_that_is_gone_says_so_and_shows_the_rest() -> None:
    app = open_page(experiments=["bare", "lost"])
    assert (
        "Not in the database: lost" in words(app),
        list(app.dataframe[-1].value["experiment"]),
    ) == (True, ["bare"])


def test_with_the_database_down_the_last_data_stays_and_says_how_old_it_is(
    sources: FakeSources,
) -> None:
    sources.database_problem = DOWN
    app = open_page()
    assert (
        "Last known data" in words(app),
        "Data as of 40 s ago" in words(app),
        len(app.dataframe[-1].value),
    ) == (True, True, 4)


def test_with_the_database_never_seen_the_page_names_the_address_and_offers_to_retry(
    sources: FakeSources,
) -> None:
    sources.database_problem, sources.ever_read = DOWN, False
    app = open_page()
    assert ("db.example:5432" in words(app), [button.label for button in app.button]) == (
        True,
        ["Retry"],
    )


def test_a_link_survives_a_database_that_is_down(sources: FakeSources) -> None:
    sources.database_problem, sources.ever_read = DOWN, False
    app = open_page(experiments=["bare", "ready_1"])
    assert app.multiselect(key="experiments").value == ["bare", "ready_1"]


def test_an_empty_database_says_what_to_run(sources: FakeSources) -> None:
    sources.names = []
    assert "make up" in words(open_page())


def test_an_unexpected_error_is_a_plain_sentence_and_no_trace(sources: FakeSources) -> None:
    sources.curve_error = RuntimeError("secret detail")
    app = open_page()
    assert (len(app.exception), "secret detail" in words(app), "cannot be shown" in words(app)) == (
        0,
        False,
        True,
    )


def test_a_hostile_name_is_shown_as_it_is(sources: FakeSources) -> None:
    sources.names = [HOSTILE]
    app = open_page()
    assert (r"evil\_\*b\*\[c\]" in words(app), "<script>" in words(app)) == (True, False)


@pytest.mark.usefixtures("sources")
def test_a_further_column_is_shown_from_a_link_and_its_name_as_it_is() -> None:
    app = open_page(columns=["momentum", "batch_size", HOSTILE])
    table = app.dataframe[-1].value
    assert (list(table.columns), list(table["batch_size"])) == (
        ["experiment", "momentum", "batch_size", HOSTILE],
        [1, 2, 4, 8],
    )


@pytest.mark.usefixtures("sources")
def test_one_task_is_not_spoken_of() -> None:
    app = open_page()
    assert (
        [box.label for box in app.selectbox],
        "digits" in words(app),
        "task" in app.dataframe[-1].value,
    ) == (
        ["Sort by"],
        False,
        False,
    )


def test_of_several_tasks_the_one_with_the_most_experiments_is_shown_first(
    sources: FakeSources,
) -> None:
    sources.tasks = {"ready_2": "parity"}
    app = open_page()
    assert set(app.dataframe[-1].value["experiment"]) == {HOSTILE, "ready_1", "bare"}
    assert app.selectbox(key="task").options == ["digits", "parity", "all tasks"]


def test_a_link_restores_the_task(sources: FakeSources) -> None:
    sources.tasks = {"ready_2": "parity"}
    app = open_page(task="parity")
    assert list(app.dataframe[-1].value["experiment"]) == ["ready_2"]


def test_all_tasks_together_have_a_summary_and_a_chart_each(sources: FakeSources) -> None:
    sources.tasks = {"ready_2": "parity"}
    app = open_page(task="all tasks")
    assert list(app.dataframe[-1].value["task"]) == ["digits", "digits", "digits", "parity"]
    assert (
        "of **digits**" in words(app),
        "of **parity**" in words(app),
        len(app.get("echarts_chart")),
    ) == (True, True, 2)


def test_every_file_that_could_not_be_imported_is_named(sources: FakeSources) -> None:
    sources.files = (
        ImportedFile("data.csv", 1, None),
        ImportedFile("a.csv", 0, "a is empty"),
        ImportedFile("b.csv", 2, None),
    )
    said = words(open_page())
    assert r"Import of a\.csv failed" in said
    assert (r"- data\.csv: 1 row" in said, r"- b\.csv: 2 rows" in said) == (True, True)


@pytest.mark.usefixtures("sources")
def test_rejected_rows_are_counted_on_the_page_with_their_reason() -> None:
    app = open_page()
    assert list(app.dataframe[0].value["Why"]) == [HOSTILE]


def predict_script() -> None:
    """What app.py does for the page Predict.

    AppTest switches only to pages that are files, and runs this text alone.
    """
    import web.sources  # noqa: PLC0415
    from web.components.experiment_picker import pick  # noqa: PLC0415
    from web.views import predict  # noqa: PLC0415

    sources = web.sources.sources()
    snapshot = sources.snapshot().value
    predict.show(sources, pick(None if snapshot is None else snapshot.task_of))


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


def test_a_blank_canvas_makes_no_call(sources: FakeSources) -> None:
    app = predict_page()
    assert (sources.calls, "What will they read?" in words(app)) == (0, True)


@pytest.mark.usefixtures("sources")
def test_an_upload_is_answered_by_every_chosen_experiment_that_has_a_model() -> None:
    app = predict_page(("seven.png", b"seven"))
    assert list(app.dataframe[0].value["experiment"]) == ["ready_2", HOSTILE, "ready_1"]


@pytest.mark.usefixtures("sources")
def test_the_consensus_and_who_disagrees_are_named() -> None:
    app = predict_page(("seven.png", b"seven"))
    assert (
        "2 of 3 experiments agree" in words(app),
        r"**1** according to evil\_" in words(app),
    ) == (True, True)


def test_labels_of_two_tasks_are_never_compared(sources: FakeSources) -> None:
    sources.served["ready_2"] = replace(sources.served["ready_2"], task="parity")
    sources.reads = {"ready_2": "odd"}
    app = predict_page(("seven.png", b"seven"))
    assert [header.value for header in app.header] == ["7", "odd"]
    assert ("Task parity" in words(app), "according to" in words(app)) == (True, False)


@pytest.mark.usefixtures("sources")
def test_an_experiment_without_a_model_is_named_and_is_no_error() -> None:
    app = predict_page(("seven.png", b"seven"))
    assert ("Not asked, no model: bare" in words(app), len(app.error)) == (True, 0)


@pytest.mark.usefixtures("sources")
def test_a_bad_file_is_a_red_row_with_its_reason_and_the_rest_go_on() -> None:
    app = predict_page(("a.png", b"seven"), ("b.png", b"bad"), ("c.png", b"other"))
    assert [box.value for box in app.error] == [r"This is \*no\* image\."]
    gallery = app.dataframe[0].value
    assert (list(gallery["answer"].fillna("")), list(gallery["agree"].fillna(""))) == (
        ["7", "", "7"],
        ["2 of 3", "", "2 of 3"],
    )
    assert list(gallery["note"]) == ["also read as 1", "This is *no* image.", "also read as 1"]
    assert ("2 of 3 pictures read" in words(app), words(app).count("experiments agree")) == (
        True,
        1,
    )


@pytest.mark.usefixtures("sources")
def test_a_click_stores_what_a_picture_really_shows(sources: FakeSources) -> None:
    app = predict_page(("seven.png", b"seven"))
    app.button_group(key="label-p").set_value("4").run()
    assert sources.standing is not None
    assert (sources.standing.label, sources.standing.labelled_by, "Labelled 4" in words(app)) == (
        "4",
        "dashboard",
        True,
    )
    app.button_group(key="label-p").set_value("9").run()
    assert (sources.standing.label, "Labelled 9" in words(app)) == ("9", True)


def test_another_person_s_label_is_replaced_only_on_demand(sources: FakeSources) -> None:
    sources.standing = Label("1", "*ann*", datetime(2026, 1, 31, 12, 0, tzinfo=UTC))
    app = predict_page(("seven.png", b"seven"))
    app.button_group(key="label-p").set_value("4").run()
    assert r"\*ann\* said **1** on 2026-01-31 at 12:00 UTC" in words(app)
    assert sources.standing.label == "1"
    next(button for button in app.button if button.label == "Replace 1 by 4").click().run()
    assert (sources.standing.label, "Labelled 4" in words(app)) == ("4", True)


def test_a_label_that_cannot_be_stored_says_why(sources: FakeSources) -> None:
    sources.refused = ApiProblemError(503, "Database unavailable", "Postgres is *away*.")
    app = predict_page(("seven.png", b"seven"))
    app.button_group(key="label-p").set_value("4").run()
    assert r"Postgres is \*away\*\. Click again in a moment." in words(app)


def test_an_api_that_keeps_no_predictions_takes_no_labels(sources: FakeSources) -> None:
    sources.keeps_predictions = False
    app = predict_page(("seven.png", b"seven"))
    assert "label-p" not in app.session_state


@pytest.mark.usefixtures("sources")
def test_an_example_is_answered() -> None:
    app = AppTest.from_function(predict_script, default_timeout=20)
    app.query_params["example"] = "3"
    app.run()
    assert "2 of 3 experiments agree" in words(app)


@pytest.mark.usefixtures("sources")
def test_what_is_copied_names_the_file_and_the_experiments() -> None:
    app = predict_page(("a;b.png", b"seven"), experiments=["ready_1"])
    assert app.code[0].value == (
        """curl \\\n  -F 'images=@"a;b.png"' \\\n  'http://localhost:9090/api/v1.0/predictions?experiments=ready_1'"""
    )


def test_many_files_are_one_call(sources: FakeSources) -> None:
    predict_page(*[(f"{number}.png", str(number).encode()) for number in range(10)])
    assert sources.calls == 1


def test_with_the_api_down_the_page_says_so_and_offers_to_retry(sources: FakeSources) -> None:
    sources.api_problem = "The inference API does not answer."
    app = predict_page()
    assert ("The inference API is down" in words(app), [button.label for button in app.button]) == (
        True,
        ["Retry"],
    )


@pytest.mark.usefixtures("sources")
def test_an_api_that_goes_away_during_the_question_is_reported_in_the_same_way() -> None:
    app = predict_page(("seven.png", b"gone"))
    assert ("The inference API is down" in words(app), [button.label for button in app.button]) == (
        True,
        ["Retry"],
    )


@pytest.mark.usefixtures("sources")
def test_experiments_that_nobody_serves_lead_to_those_that_are_served() -> None:
    app = predict_page(experiments=["bare"])
    assert "Ask all 3 models instead" in words(app)


@pytest.mark.usefixtures("sources")
def test_every_ready_model_can_be_asked_whatever_is_chosen() -> None:
    app = predict_page(experiments=["bare"])
    app.toggle(key="all").set_value(True).run()
    assert "3 experiments answer" in words(app)


def test_with_the_database_down_predictions_go_on(sources: FakeSources) -> None:
    sources.database_problem, sources.ever_read = DOWN, False
    app = predict_page(experiments=["ready_1", "ready_2"])
    assert "2 experiments answer" in words(app)


def test_the_real_sources_stand_with_both_services_down(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = make_sources(
        Settings(api_url="http://127.0.0.1:9/api/v1.0", database_host="127.0.0.1", database_port=9)
    )
    monkeypatch.setattr(web.sources, "sources", lambda: dead)
    app = open_page()
    assert ("127.0.0.1:9" in words(app), len(app.exception)) == (True, 0)


def test_no_folder_makes_streamlit_run_its_files_as_pages() -> None:
    assert not (Path(APP).parent / "pages").exists()

"""Models page in each state, without a browser."""

from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fake_learning import (
    NOW,
    make_comparison,
    make_decision,
    make_detail,
    make_run,
    make_step,
)
from tests.support.fake_monitoring import make_alert
from tests.support.fakes import (
    DOWN,
    FakeSources,
    linked_names,
    make_version,
    open_alone,
    visible_text,
)
from tests.support.web_robustness import make_result
from web.data.api_types import ApiProblemError
from web.data.learning.types import Evidence, RunDetail
from web.data.monitoring.replicas import Served


def models_script() -> None:
    """Run the Models page as app.py does."""
    import web.sources  # noqa: PLC0415
    from web.views.models import page  # noqa: PLC0415

    page.show(web.sources.get_sources())


def models_page(**query: str) -> AppTest:
    return open_alone(models_script, **query)


def fill(app: AppTest, button: str, author: str, reason: str) -> AppTest:
    """Fill in the form with this button and submit it."""
    texts = {"Your name": author, "Reason": reason}
    form = next(one.form_id for one in app.button if one.label == button and one.form_id)
    for field in app.text_input:
        if field.form_id == form:
            field.set_value(texts[field.label])
    next(one for one in app.button if one.form_id == form).click()
    return app.run()


@pytest.mark.usefixtures("sources")
def test_most_accurate_version_is_selected() -> None:
    app = models_page()
    assert list(app.dataframe[0].value["version"]) == [1, 1, 2, 1]
    assert app.selectbox(key="m").value == "ready_1"


def test_replicas_are_counted_if_there_are_several(sources: FakeSources) -> None:
    digest = sources.listed[0].digest
    assert "replicas" not in visible_text(models_page())
    sources.replicas = Served(4, {("ready_1", 1, digest): 3})
    app = models_page()
    assert list(app.dataframe[0].value["replicas"])[:2] == ["3 of 4 replicas", "0 of 4 replicas"]
    assert "3 of 4 replicas serve v1" in visible_text(app)


@pytest.mark.usefixtures("sources")
def test_link_restores_a_version() -> None:
    app = models_page(m="ready_2@1")
    assert (app.header[0].value, app.code[0].value.count("ready_2@1")) == (
        r"ready\_2, version 1",
        1,
    )


@pytest.mark.usefixtures("sources")
def test_code_is_that_of_the_client_and_name() -> None:
    app = models_page(m="ready_1", client="TensorFlow Serving")
    assert "/v1/models/ready_1:predict" in app.code[0].value
    choice = app.selectbox(key="code-name-ready_1@1")
    assert choice.options == ["ready_1", "ready_1@1", "digits@champion"]
    app = choice.select("ready_1@1").run()
    assert "/v1/models/ready_1/versions/1:predict" in app.code[0].value
    app = app.button_group(key="client").set_value("tritonclient").run()
    assert 'client.infer("ready_1", [tensor], model_version="1")' in app.code[0].value
    assert len(app.code) == 1


@pytest.mark.usefixtures("sources")
def test_link_with_the_default_version_number_works() -> None:
    app = models_page(m="ready_2@2")
    assert app.header[0].value == r"ready\_2, version 2"


def test_promotion_needs_a_version(sources: FakeSources) -> None:
    app = fill(models_page(m="lost"), "Promote", author="ann", reason="reads 4 better")
    assert (sources.moved, "Choose a version" in visible_text(app)) == ([], True)


@pytest.mark.usefixtures("sources")
def test_link_to_an_unknown_model_shows_a_warning() -> None:
    assert "Unknown model lost" in visible_text(models_page(m="lost"))


@pytest.mark.usefixtures("sources")
def test_failed_model_has_a_card_with_its_reason() -> None:
    [card] = models_page().error
    assert r"The file is \*torn\*\." in card.value


def test_model_that_misreads_the_probe_has_a_warning(sources: FakeSources) -> None:
    probe = {
        "accuracy": 0.12,
        "digits": 200,
        "best": {"accuracy": 0.91, "input": {"invert": True}, "classes": None},
        "sentence": "12 % of 200 probe digits as stated; 91 % with input.invert: true",
        "passed": False,
        "warning": True,
    }
    sources.listed = [make_version("white", probe=probe), *sources.listed]
    app = models_page(m="white")
    [card] = app.warning
    assert "of 200 probe digits as stated" in card.value
    assert app.dataframe[0].value["probe"].dropna().tolist() == [12]
    assert "**Probe:** 12" in visible_text(app)


def test_open_alert_stands_beside_its_version(sources: FakeSources) -> None:
    info = make_alert(4, family="labels", families=("labels",), severity="info")
    sources.monitoring.open_alerts = [info, make_alert(3)]
    app = models_page(m="ready_1")
    table = app.dataframe[0].value
    shown = dict(zip(linked_names(table["model"]), map(list, table["alert"]), strict=True))
    assert (shown["1"], shown["2"]) == (["Warning"], [])
    text = visible_text(app)
    assert "What is sent changed 14 min ago" in text
    assert "monitor?task=digits" in text
    assert "What is sent changed" not in visible_text(models_page(m="ready_2@1"))


@pytest.mark.usefixtures("sources")
def test_unmatched_experiments_are_listed() -> None:
    text = visible_text(models_page())
    assert ("1 experiment without a model file" in text, "without an experiment" in text) == (
        True,
        False,
    )


def test_promotion_stores_author_and_reason(sources: FakeSources) -> None:
    fill(models_page(m="ready_2"), "Promote", author="ann ", reason="reads 4 better")
    assert sources.moved == [("digits", "champion", "ready_2@2", "ann", "reads 4 better")]


def test_promotion_needs_author_and_reason(sources: FakeSources) -> None:
    app = fill(models_page(m="ready_2"), "Promote", author=" ", reason="")
    assert (sources.moved, "Fill in: Your name, Reason" in visible_text(app)) == ([], True)


def test_rejected_promotion_shows_the_reason(sources: FakeSources) -> None:
    sources.api_error = ApiProblemError(409, "Alias not movable", "It is *not* ready.")
    app = fill(models_page(m="ready_2"), "Promote", author="ann", reason="x")
    assert r"It is \*not\* ready\." in visible_text(app)


def test_promotion_shows_the_last_comparison(sources: FakeSources) -> None:
    sources.learning.proof = Evidence((make_comparison(),), make_decision("REFUSE"))
    app = models_page(m="ready_2")
    text = visible_text(app)
    assert "[run 7](pipelines?run=7), verdict **Refuse**" in text
    assert "| **Candidate wrong** | **18** | 98 |" in text
    assert "| **Champion** " in text
    assert "95 % interval" in text
    assert r"Not \*better\*\." in text
    assert "It was compared with" not in text


def test_comparison_with_an_earlier_champion_says_so(sources: FakeSources) -> None:
    decision = make_decision("PROMOTE", champion="old@1")
    sources.learning.proof = Evidence((make_comparison(),), decision)
    assert r"It was compared with old\@1" in visible_text(models_page(m="ready_2"))


@pytest.mark.usefixtures("sources")
def test_promotion_without_a_comparison_says_how_to_get_one() -> None:
    text = visible_text(models_page(m="ready_2"))
    assert "No comparison with the champion is stored" in text
    assert "(evaluate?model=ready_2%402&vs=ready_1%401)" in text


def test_promotion_without_a_database_still_works(sources: FakeSources) -> None:
    sources.learning.problem, sources.learning.was_ever_up = DOWN, False
    app = fill(models_page(m="ready_2"), "Promote", author="ann", reason="x")
    assert "The last comparison with the champion cannot be read" in visible_text(app)
    assert sources.moved == [("digits", "champion", "ready_2@2", "ann", "x")]


@pytest.mark.usefixtures("sources")
def test_champion_needs_no_evidence() -> None:
    assert "This version is the champion" in visible_text(models_page(m="ready_1"))


def test_move_of_a_run_links_to_it(sources: FakeSources) -> None:
    sources.learning.moves = {2: 20}
    history = models_page().dataframe[1].value
    assert list(history["run"].fillna("")) == ["pipelines?run=20", ""]


def test_rollback_stores_author_and_reason(sources: FakeSources) -> None:
    fill(models_page(), "Roll back", author="ann", reason="misreads 7")
    assert sources.moved == [("digits", "champion", "back", "ann", "misreads 7")]


def test_api_down_keeps_the_last_table(sources: FakeSources) -> None:
    sources.api_problem = "The inference API does not respond."
    app = models_page()
    assert (
        "The inference API is down" in visible_text(app),
        "Retry" in [button.label for button in app.button],
    ) == (True, True)
    assert len(app.dataframe[0].value) == 4


def test_no_models_shows_how_to_publish(sources: FakeSources) -> None:
    sources.listed = []
    assert "make publish" in visible_text(models_page())


def test_database_down_keeps_the_models(sources: FakeSources) -> None:
    sources.database_problem, sources.was_ever_up = DOWN, False
    app = models_page()
    assert ("db.example:5432" in visible_text(app), len(app.dataframe[0].value)) == (True, 4)


def metrics(app: AppTest) -> dict[str, tuple[str, str]]:
    return {
        metric.label: (metric.value.replace("\N{NO-BREAK SPACE}", " "), metric.delta)
        for metric in app.metric
    }


def test_robustness_is_compared_with_the_champion(sources: FakeSources) -> None:
    sources.robust = {"ready_1@1": make_result(0.8), "ready_2@2": make_result(0.9)}
    app = models_page(m="ready_2")
    assert metrics(app) == {
        "Mean robustness": ("75.0 %", "+10.0 points"),
        "Without corruption": ("99.0 %", "0.0 points"),
        "Weakest": ("60 %", "rotation, 45 degrees"),
    }
    assert "On 300 test images. Differences are to the champion of the task." in visible_text(app)
    table = next(one.value for one in app.dataframe if "difference" in one.value)
    assert table["difference"].round(6).unique().tolist() == [10]


def test_robustness_of_the_champion_has_no_comparison(sources: FakeSources) -> None:
    sources.robust = {"ready_1@1": make_result(0.8)}
    app = models_page(m="ready_1")
    assert metrics(app)["Mean robustness"] == ("65.0 %", "")
    assert "Differences" not in visible_text(app)


def test_robustness_on_other_images_is_not_compared(sources: FakeSources) -> None:
    sources.robust = {
        "ready_1@1": make_result(0.8, images_digest="f"),
        "ready_2@2": make_result(0.9),
    }
    assert metrics(models_page(m="ready_2"))["Mean robustness"] == ("75.0 %", "")


@pytest.mark.usefixtures("sources")
def test_model_without_robustness_says_how_to_measure_it() -> None:
    assert "Not measured. Run `make robustness`" in visible_text(models_page(m="ready_1"))


def test_robustness_without_the_api_keeps_the_page(sources: FakeSources) -> None:
    sources.api_problem = "The inference API does not respond."
    app = models_page(m="ready_1")
    assert (len(app.exception), "The inference API does not respond." in visible_text(app)) == (
        0,
        True,
    )


def publish_page(**fields: str) -> AppTest:
    """Fill in the publishing form and submit it."""
    app = models_page()
    form = next(one.form_id for one in app.button if one.label == "Publish")
    app.file_uploader[0].set_value(("new.keras", b"k", "application/octet-stream"))
    values = {"Experiment": "ready_1", "Your name": "ann", "Reason": "new scans", **fields}
    for field in (*app.text_input, *app.selectbox):
        if field.form_id == form and field.label in values:
            field.set_value(values[field.label])
    app.number_input[0].set_value(98.5)
    next(one for one in app.button if one.form_id == form).click()
    return app.run()


def publication(state: str, number: int = 9, **step: Any) -> RunDetail:
    """Return a run that publishes ready_1."""
    run = make_run(
        number,
        kind="publish",
        state=state,
        reason=step.pop("reason", None),
        finished_at=None if state in ("QUEUED", "RUNNING") else NOW,
        verdict=None,
    )
    return make_detail(run, steps=(make_step("publish", **step),) if step else (), decision=None)


def test_publication_is_sent_and_followed(sources: FakeSources) -> None:
    sources.learning.details[9] = publication("QUEUED")
    sources.learning.worker_seen_seconds = 300.0
    app = publish_page(Digits="Black on white")
    card = {
        "task": "digits",
        "classes": list("0123456789"),
        "metrics": {"test_accuracy": 0.985},
        "input": {"invert": True},
    }
    assert sources.learning_api.calls == [
        ("publish", "ready_1", "new.keras", b"k", card, False, "ann", "new scans")
    ]
    assert app.query_params["publication"] in ("9", ["9"])
    assert app.get("progress")[0].proto.text == "Waiting for a worker"
    assert "make worker" in visible_text(app)
    assert "[run 9](pipelines?run=9)" in visible_text(app)


def test_publication_without_a_file_names_the_field(sources: FakeSources) -> None:
    app = models_page()
    next(one for one in app.button if one.label == "Publish").click().run()
    assert "Fill in: Experiment, Model file, Your name, Reason" in visible_text(app)
    assert sources.learning_api.calls == []


def test_refused_request_keeps_the_form(sources: FakeSources) -> None:
    sources.learning_api.error = ApiProblemError(400, "Malformed", "task must be a word.")
    assert r"task must be a word" in visible_text(publish_page())


def test_published_version_can_be_selected(sources: FakeSources) -> None:
    sources.learning.details[9] = publication(
        "SUCCEEDED", reason="Published as version 1 of ready_2.", outputs={"version": 1}
    )
    run = replace(sources.learning.details[9].run, experiment_name="ready_2")
    sources.learning.details[9] = replace(sources.learning.details[9], run=run)
    app = models_page(publication="9")
    assert [one.value for one in app.success] == [r"Published as version 1 of ready\_2\."]
    next(one for one in app.button if one.label == "Show version 1").click().run()
    assert app.selectbox(key="m").value == "ready_2@1"
    app.button(key="close_publication").click().run()
    assert not app.success


def test_unloaded_version_is_awaited(sources: FakeSources) -> None:
    sources.learning.details[9] = publication(
        "SUCCEEDED", reason="Published as version 7 of ready_1.", outputs={"version": 7}
    )
    app = models_page(publication="9")
    assert "The service loads it." in app.success[0].value
    assert not [one for one in app.button if one.label.startswith("Show version")]


def test_misreading_model_can_be_repeated_with_the_better_card(sources: FakeSources) -> None:
    sources.learning.details[9] = publication("QUEUED")
    app = publish_page(Task="digits", Classes="0,1")
    sources.learning.details[9] = publication(
        "FAILED",
        reason="publish: The model reads 12 % of 200 probe digits as stated.",
        progress={"refused": "probe", "better_card": {"classes": ["1", "0"]}},
    )
    app.run()
    text = visible_text(app)
    assert ("The model reads 12" in text, "publish: " in text) == (True, False)
    next(one for one in app.button if one.label == "Publish with the better card").click().run()
    next(one for one in app.button if one.label == "Publish as it is").click().run()
    assert [(call[4]["classes"], call[5]) for call in sources.learning_api.calls] == [
        (["0", "1"], False),
        (["1", "0"], False),
        (["1", "0"], True),
    ]


def test_refusal_after_a_reload_asks_for_the_file(sources: FakeSources) -> None:
    sources.learning.details[9] = publication(
        "FAILED", reason="publish: It misreads.", progress={"refused": "probe"}
    )
    app = models_page(publication="9")
    assert "choose the file again" in visible_text(app)
    assert not [one for one in app.button if one.label == "Publish as it is"]


@pytest.mark.parametrize("number", ["7", "8", "x"])
def test_link_to_another_run_shows_no_publication(sources: FakeSources, number: str) -> None:
    app = models_page(publication=number)
    assert not app.get("progress")
    assert ("publishes no model" in visible_text(app)) == number.isdecimal()
    assert sources.learning_api.calls == []

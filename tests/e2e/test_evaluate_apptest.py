"""Evaluate page in each state, without a browser."""

import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fakes import FakeSources, make_version, open_alone, visible_text
from web.data.learning.data_types import StoredEvaluation
from web.settings import Settings

WAIT_SECONDS = 20


def evaluate_script() -> None:
    """Run the Evaluate page as app.py does."""
    import web.sources  # noqa: PLC0415
    from web.views.evaluate import page  # noqa: PLC0415

    page.show(web.sources.get_sources())


def evaluate_page(**query: str) -> AppTest:
    return open_alone(evaluate_script, **query)


def run_evaluation(app: AppTest) -> AppTest:
    """Click Evaluate and wait for the end of the run."""
    button(app, "Evaluate").click().run()
    if "evaluation" in app.session_state:
        assert app.session_state["evaluation"].ended.wait(WAIT_SECONDS)
    return app.run()


def button(app: AppTest, label: str) -> Any:
    return next(element for element in app.button if element.label == label)


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".png", content)
    return out.getvalue()


@pytest.mark.usefixtures("sources")
def test_most_accurate_model_is_the_default() -> None:
    app = evaluate_page()
    assert (app.selectbox(key="model").value, "500 images with 10 labels" in visible_text(app)) == (
        "ready_1",
        True,
    )
    assert "They are not handwriting" in visible_text(app)


@pytest.mark.usefixtures("sources")
def test_constant_prediction_has_ten_percent_accuracy() -> None:
    app = run_evaluation(evaluate_page())
    assert {metric.label: metric.value for metric in app.metric}[
        "Accuracy"
    ] == "10.00\N{NO-BREAK SPACE}%"
    assert "50 of 500 images correct" in visible_text(app)


@pytest.mark.usefixtures("sources")
def test_results_are_cached_for_the_next_session() -> None:
    run_evaluation(evaluate_page())
    app = evaluate_page()
    assert ("Evaluate" in [one.label for one in app.button], len(app.metric)) == (False, 4)


def test_two_models_are_compared(sources: FakeSources) -> None:
    sources.predicted["ready_2"] = "1"
    app = run_evaluation(evaluate_page(vs="ready_2"))
    text = visible_text(app)
    assert ("No significant difference" in text, "p = 1" in text, "0.0" in text) == (
        True,
        True,
        True,
    )


@pytest.mark.parametrize(("model", "other"), [("ready_2@1", "ready_2"), ("ready_2@2", "ready_2@1")])
@pytest.mark.usefixtures("sources")
def test_two_versions_of_a_model_are_compared(model: str, other: str) -> None:
    app = run_evaluation(evaluate_page(model=model, vs=other))
    assert (app.selectbox(key="model").value, app.selectbox(key="vs").value) == (model, other)
    [compared] = [one.value for one in app.dataframe if "Model" in one.value]
    assert list(compared["Model"]) == [model.replace("@2", ""), other]


@pytest.mark.usefixtures("sources")
def test_link_opens_a_cell() -> None:
    app = run_evaluation(evaluate_page(true="4", read="7"))
    assert "24 of 50 images, the most confident first" in visible_text(app)
    button(app, "Show 24 more").click().run()
    assert "48 of 50 images" in visible_text(app)


@pytest.mark.usefixtures("sources")
def test_zip_is_evaluated_and_skipped_files_are_listed() -> None:
    app = evaluate_page(set="your zip")
    assert "Upload a zip file" in visible_text(app)
    app.file_uploader(key="zip").set_value(
        ("my.zip", zipped(**{"7__a": b"x", "1__b": b"y", "top": b"z"}), "application/zip")
    ).run()
    run_evaluation(app)
    assert (
        "1 of 2 images correct" in visible_text(app),
        app.dataframe[0].value["File"].tolist(),
    ) == (
        True,
        ["top.png"],
    )


@pytest.mark.usefixtures("sources")
def test_images_with_a_warning_are_not_counted() -> None:
    app = evaluate_page(set="your zip")
    images = {"7__a": b"x", "1__b": b"blank", "1__c": b"two", "1__d": b"bad"}
    app.file_uploader(key="zip").set_value(("my.zip", zipped(**images), "application/zip")).run()
    run_evaluation(app)
    assert (
        "1 of 1 image correct. 1 unreadable image, 1 image without a digit, 1 image with several"
        " digits not counted."
    ) in visible_text(app)


@pytest.mark.usefixtures("sources")
def test_zip_with_unknown_labels_shows_a_warning() -> None:
    app = evaluate_page(set="your zip")
    app.file_uploader(key="zip").set_value(("my.zip", zipped(cat__a=b"x"), "application/zip")).run()
    assert "cannot predict any label" in visible_text(app)


@pytest.mark.usefixtures("sources")
def test_folder_of_an_unknown_label_is_reported() -> None:
    app = evaluate_page(set="your zip")
    files = zipped(**{"7__a": b"x", "cat__a": b"y", "07__a": b"z", "1__b": b"w"})
    app.file_uploader(key="zip").set_value(("my.zip", files, "application/zip")).run()
    assert "2 images with the labels 07, cat" in visible_text(app)
    assert "1 of 2 images correct" in visible_text(run_evaluation(app))


@pytest.mark.usefixtures("sources")
def test_other_file_than_zip_is_rejected() -> None:
    app = evaluate_page(set="your zip")
    app.file_uploader(key="zip").set_value(("my.zip", b"no zip", "application/zip")).run()
    assert (len(app.exception), "not a readable zip file" in visible_text(app)) == (0, True)


def test_mnist_is_available_with_its_file(sources: FakeSources, tmp_path: Path) -> None:
    assert "MNIST 1,000" not in evaluate_page().selectbox(key="set").options
    path = tmp_path / "mnist.npz"
    np.savez(path, x_test=np.zeros((3, 28, 28), np.uint8), y_test=np.array([7, 2, 1], np.uint8))
    sources.settings = Settings(mnist_path=path)
    assert "1 of 3 images correct" in visible_text(run_evaluation(evaluate_page(set="MNIST 1,000")))


def test_api_down_keeps_finished_evaluations(sources: FakeSources) -> None:
    run_evaluation(evaluate_page())
    sources.api_problem = "The inference API does not respond."
    app = evaluate_page()
    assert ("The inference API is down" in visible_text(app), len(app.metric)) == (True, 4)


def test_no_ready_model_shows_a_message(sources: FakeSources) -> None:
    sources.listed = [make_version("torn", state="FAILED", reason="torn")]
    assert "No models are ready" in visible_text(evaluate_page())


def test_stored_result_is_shown_before_a_run(sources: FakeSources) -> None:
    sources.learning.evaluated = StoredEvaluation(
        images=500,
        correct=480,
        by_class={"7": {"images": 50, "correct": 40}},
        evaluated_by="dashboard",
        at=datetime.now(UTC) - timedelta(days=3),
    )
    app = evaluate_page()
    text = visible_text(app)
    assert "**[ready\\_1](run?name=ready_1): 96.00\N{NO-BREAK SPACE}%** of 500 images" in text
    assert "evaluated 3 days ago by dashboard" in text
    assert app.dataframe[-1].value.to_dict("records") == [
        {"label": "7", "images": 50, "accuracy": 80.0}
    ]


@pytest.mark.usefixtures("sources")
def test_no_stored_result_shows_none() -> None:
    assert "Stored results" not in [one.value for one in evaluate_page().header]


@pytest.mark.usefixtures("sources")
def test_errors_are_pairs_and_groups() -> None:
    app = run_evaluation(evaluate_page())
    assert "Errors" in [one.value for one in app.header]
    pairs = next(one.value for one in app.dataframe if "share" in one.value)
    assert list(pairs["predicted"]) == ["7"] * 9
    assert list(pairs["images"]) == [50] * 9
    assert pairs["share"].sum() == pytest.approx(100)
    assert app.button_group(key="group").options == [str(number) for number in range(1, 13)]
    assert "12 of 450 errors, the most confident first" in visible_text(app)


@pytest.mark.usefixtures("sources")
def test_errors_of_a_pair_and_a_group_come_from_the_link() -> None:
    app = run_evaluation(evaluate_page(true="4", read="7"))
    assert "12 of 50 errors of 4 \N{RIGHTWARDS ARROW} 7" in visible_text(app).replace("\\", "")
    app = evaluate_page(true="4", read="7", group="2")
    found = re.search(r"(\d+) errors? of 4 . 7, group 2", visible_text(app).replace("\\", ""))
    assert found is not None
    assert 0 < int(found[1]) < 50


@pytest.mark.usefixtures("sources")
def test_more_errors_are_shown_on_request() -> None:
    app = run_evaluation(evaluate_page(true="4", read="7"))
    app.button(key="more_errors").click().run()
    assert "24 of 50 errors" in visible_text(app)
    app.selectbox(key="true").set_value("5").run()
    assert "12 of 50 errors" in visible_text(app)  # another choice starts again


@pytest.mark.usefixtures("sources")
def test_cell_of_correct_images_shows_all_errors() -> None:
    app = run_evaluation(evaluate_page(true="7", read="7"))
    assert "12 of 450 errors, the most" in visible_text(app)


@pytest.mark.usefixtures("sources")
def test_group_that_does_not_exist_selects_none() -> None:
    run_evaluation(evaluate_page())
    app = evaluate_page(group="77")
    assert (app.button_group(key="group").value, len(app.exception)) == (None, 0)


@pytest.mark.usefixtures("sources")
def test_set_without_errors_says_so() -> None:
    app = evaluate_page(set="your zip")
    app.file_uploader(key="zip").set_value(("my.zip", zipped(**{"7__a": b"x"}), "application/zip"))
    run_evaluation(app.run())
    assert "Every image is read correctly" in visible_text(app)

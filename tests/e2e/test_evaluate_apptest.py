"""Evaluate without a browser: what it says in each state."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fakes import FakeSources, make_version, open_alone, words
from web.settings import Settings

WAIT_SECONDS = 20


def evaluate_script() -> None:
    """What app.py does for the page Evaluate."""
    import web.sources  # noqa: PLC0415
    from web.views import evaluate  # noqa: PLC0415

    evaluate.show(web.sources.sources())


def evaluate_page(**query: str) -> AppTest:
    return open_alone(evaluate_script, **query)


def evaluated(app: AppTest) -> AppTest:
    """Press the button and wait for the end."""
    button(app, "Evaluate").click().run()
    if "evaluation" in app.session_state:
        assert app.session_state["evaluation"].ended.wait(WAIT_SECONDS)
    return app.run()


def button(app: AppTest, label: str) -> Any:
    return next(each for each in app.button if each.label == label)


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".png", content)
    return out.getvalue()


@pytest.mark.usefixtures("sources")
def test_before_anything_is_asked_the_page_offers_to_evaluate_the_most_accurate_model() -> None:
    app = evaluate_page()
    assert (app.selectbox(key="model").value, "500 images with 10 labels" in words(app)) == (
        "ready_1",
        True,
    )
    assert "They are no handwriting" in words(app)


@pytest.mark.usefixtures("sources")
def test_a_model_that_says_seven_to_everything_is_a_tenth_right() -> None:
    app = evaluated(evaluate_page())
    assert {each.label: each.value for each in app.metric}["Accuracy"] == "10.00\N{NO-BREAK SPACE}%"
    assert "50 of 500 images right" in words(app)


@pytest.mark.usefixtures("sources")
def test_what_was_evaluated_is_kept_for_the_next_session() -> None:
    evaluated(evaluate_page())
    app = evaluate_page()
    assert ("Evaluate" in [each.label for each in app.button], len(app.metric)) == (False, 4)


def test_two_models_are_compared(sources: FakeSources) -> None:
    sources.reads["ready_2"] = "1"
    app = evaluated(evaluate_page(vs="ready_2"))
    said = words(app)
    assert ("These images do not tell which" in said, "p = 1" in said, "0.0" in said) == (
        True,
        True,
        True,
    )


@pytest.mark.parametrize(("model", "other"), [("ready_2@1", "ready_2"), ("ready_2@2", "ready_2@1")])
@pytest.mark.usefixtures("sources")
def test_two_versions_of_a_model_are_compared(model: str, other: str) -> None:
    app = evaluated(evaluate_page(model=model, vs=other))
    assert (app.selectbox(key="model").value, app.selectbox(key="vs").value) == (model, other)
    assert list(app.dataframe[-1].value["Model"]) == [model.replace("@2", ""), other]


@pytest.mark.usefixtures("sources")
def test_a_link_opens_a_cell() -> None:
    app = evaluated(evaluate_page(true="4", read="7"))
    assert "24 of 50 images. The most confident first" in words(app)
    button(app, "Show 24 more").click().run()
    assert "48 of 50 images" in words(app)


@pytest.mark.usefixtures("sources")
def test_a_zip_is_evaluated_and_what_is_left_out_is_named() -> None:
    app = evaluate_page(set="your zip")
    assert "Upload a zip file" in words(app)
    app.file_uploader(key="zip").set_value(
        ("my.zip", zipped(**{"7__a": b"x", "1__b": b"y", "top": b"z"}), "application/zip")
    ).run()
    evaluated(app)
    assert ("1 of 2 images right" in words(app), app.dataframe[0].value["File"].tolist()) == (
        True,
        ["top.png"],
    )


@pytest.mark.usefixtures("sources")
def test_a_zip_of_labels_that_the_model_cannot_give_says_so() -> None:
    app = evaluate_page(set="your zip")
    app.file_uploader(key="zip").set_value(("my.zip", zipped(cat__a=b"x"), "application/zip")).run()
    assert "labels that the model cannot give" in words(app)


@pytest.mark.usefixtures("sources")
def test_what_is_no_zip_is_refused() -> None:
    app = evaluate_page(set="your zip")
    app.file_uploader(key="zip").set_value(("my.zip", b"no zip", "application/zip")).run()
    assert (len(app.exception), "no zip file that can be read" in words(app)) == (0, True)


def test_mnist_is_offered_where_it_is_at_hand(sources: FakeSources, tmp_path: Path) -> None:
    assert "MNIST 1,000" not in evaluate_page().selectbox(key="set").options
    path = tmp_path / "mnist.npz"
    np.savez(path, x_test=np.zeros((3, 28, 28), np.uint8), y_test=np.array([7, 2, 1], np.uint8))
    sources.settings = Settings(mnist_path=path)
    assert "1 of 3 images right" in words(evaluated(evaluate_page(set="MNIST 1,000")))


def test_with_the_api_down_what_was_evaluated_stays(sources: FakeSources) -> None:
    evaluated(evaluate_page())
    sources.api_problem = "The inference API does not answer."
    app = evaluate_page()
    assert ("The inference API is down" in words(app), len(app.metric)) == (True, 4)


def test_without_a_ready_model_the_page_says_so(sources: FakeSources) -> None:
    sources.listed = [make_version("torn", state="FAILED", reason="torn")]
    assert "No model is ready yet" in words(evaluate_page())

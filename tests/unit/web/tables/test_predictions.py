"""Tables of the Predict page."""

from web.data.api_types import Answer, ApiProblemError, Prediction
from web.data.consensus import find_consensus
from web.tables.predictions import GalleryItem, answer_table, gallery_table, probability_table


def answer(experiment: str, label: str, confidence: float) -> Answer:
    probabilities = {label: confidence, "other": 1 - confidence}
    return Answer(experiment, prediction=Prediction(label, confidence, probabilities))


BROKEN = Answer("broken", problem=ApiProblemError(503, "Loading", "Try again."))


def test_answer_table_notes_dissent_doubt_and_failure() -> None:
    answers = [answer("a", "7", 0.9), answer("b", "7", 0.9), answer("c", "1", 0.5), BROKEN]
    table = answer_table(answers, find_consensus(answers))
    assert list(table["note"]) == ["", "", "disagrees, unsure", "Loading: Try again."]


def test_probability_table_has_a_column_per_label() -> None:
    table = probability_table({"a": {"1": 1.0}, "b": {"0": 0.5, "1": 0.5}})
    assert list(table.columns) == ["Experiment", "0", "1"]


def test_gallery_table_notes_other_labels_and_problems() -> None:
    consensus = find_consensus([answer("a", "7", 0.7), answer("b", "1", 0.6)])
    table = gallery_table([GalleryItem("x", consensus), GalleryItem("y", None, "Broken file.")])
    assert list(table["note"]) == ["unsure; other labels: 1", "Broken file."]
    assert list(table["agree"].fillna("")) == ["1 of 2", ""]


def test_gallery_table_of_a_warned_image_has_no_answer() -> None:
    table = gallery_table([GalleryItem("x", None, warnings=("several digits (2)",))])
    assert (table["note"].tolist(), table["answer"].tolist()) == (["Several digits (2)"], [None])

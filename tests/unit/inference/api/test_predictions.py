"""/predictions: images to a document or lines, stored predictions, and labels, without HTTP."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from inference.api.predictions import PredictionsApi
from inference.api.response_encoding import ResponseEncoder
from inference.database.predictions import Filter
from inference.errors import (
    InvalidValueError,
    MalformedRequestError,
    ModelNotReadyError,
    RequestTooLargeError,
)
from inference.prediction.results import LoadedModel, UnavailableModel
from tests.support.fake_models import FakeNetwork, image, loaded
from tests.support.fake_predictor import predicting

UUID = "0190f3e2-7c1a-7b5e-9d41-2f6a8c3b1e07"
BLANK = [[0] * 28 for _ in range(28)]


@pytest.fixture
def api() -> Iterator[PredictionsApi]:
    """An API over two models and one that is unavailable."""
    models: list[LoadedModel | UnavailableModel] = [
        loaded("a"),
        UnavailableModel("gone", ModelNotReadyError()),
        loaded("b", FakeNetwork((1.0, 0.0), serial=2)),
    ]
    with predicting(*models) as predictor:
        yield PredictionsApi(predictor, ResponseEncoder(), cast("Any", None))


def predict(api: PredictionsApi, *files: bytes, **options: Any) -> list[dict[str, Any]]:
    document = api.predict(images=[io.BytesIO(data) for data in files], **options)
    assert isinstance(document, bytes)
    predictions: list[dict[str, Any]] = json.loads(document)["predictions"]
    return predictions


def test_predict_answers_each_image_with_each_model(
    api: PredictionsApi, digits: dict[str, bytes]
) -> None:
    entries = predict(api, digits["1"], b"hello", digits["2"])
    assert [entry["index"] for entry in entries] == [0, 1, 2]
    assert entries[1] == {"index": 1, "problem": entries[1]["problem"]}
    answers = entries[0]["answers"]
    assert [answer["experiment_name"] for answer in answers] == ["a", "gone", "b"]
    assert answers[1]["problem"]["status"] == 503
    assert entries[0]["consensus"]["mnist"]["votes"] == {"x": 1, "y": 1}


def test_predict_of_json_takes_pixels(api: PredictionsApi) -> None:
    document = api.predict(document={"images": [image(value).pixels.tolist() for value in (3, 7)]})
    assert isinstance(document, bytes)
    entries = json.loads(document)["predictions"]
    assert [entry["image_digest"] for entry in entries] == [image(3).digest, image(7).digest]


def test_predict_with_view_has_a_picture(api: PredictionsApi, digits: dict[str, bytes]) -> None:
    [entry] = predict(api, digits["1"], view=True)
    assert entry["view"].startswith("iVBOR")


def test_predict_without_log_has_no_ids(api: PredictionsApi, digits: dict[str, bytes]) -> None:
    [entry] = predict(api, digits["1"], log=False)
    assert [answer.get("prediction_id", "none") for answer in entry["answers"]] == [
        None,
        "none",
        None,
    ]


def test_predict_as_stream_yields_lines(api: PredictionsApi, digits: dict[str, bytes]) -> None:
    images = [io.BytesIO(digits["1"]) for _ in range(5)]
    lines = list(api.predict(images=images, is_stream=True))
    assert [json.loads(line)["index"] for line in lines] == list(range(5))  # type: ignore[arg-type]


@pytest.mark.parametrize("images", [None, [], ["a text part"]])
def test_predict_without_file_raises(api: PredictionsApi, images: Any) -> None:
    with pytest.raises(MalformedRequestError, match="no file"):
        api.predict(images=images)


def test_predict_takes_the_names_of_post_inference(
    api: PredictionsApi, digits: dict[str, bytes]
) -> None:
    uploads = [io.BytesIO(digits["1"]), io.BytesIO(digits["2"])]
    document = api.predict(experiment_name=["b", "a"], image_blob=uploads)
    assert isinstance(document, bytes)
    entries = json.loads(document)["predictions"]
    assert len(entries) == 2


@pytest.mark.parametrize("is_stream", [True, False])
def test_predict_raises_before_the_first_line(api: PredictionsApi, *, is_stream: bool) -> None:
    for document, error in (
        ({"images": []}, InvalidValueError),
        ({"images": [BLANK] * 1001}, RequestTooLargeError),
        ({}, MalformedRequestError),
    ):
        with pytest.raises(error):
            api.predict(document=document, is_stream=is_stream)
    with pytest.raises(RequestTooLargeError):
        api.predict(images=[io.BytesIO()] * 1001, is_stream=is_stream)


class FakeHistory:
    """Returns the arguments of each call."""

    def page(self, *arguments: Any) -> tuple[Any, str]:
        return arguments, "next"

    def one(self, *arguments: Any) -> Any:
        return arguments

    def label(self, *arguments: Any) -> Any:
        return arguments


API = PredictionsApi(cast("Any", None), ResponseEncoder(), cast("Any", FakeHistory()))


def test_list_predictions_without_parameters_filters_nothing() -> None:
    assert API.list_predictions() == {"predictions": (Filter(), 50, None), "next": "next"}


def test_list_predictions_builds_a_filter() -> None:
    page = API.list_predictions(
        limit=7,
        cursor="c",
        experiment_name="a@2",
        since="2026-01-01T00:00:00Z",
        until="2026-01-02T00:00:00Z",
        disagreement=True,
        corrected=False,
        wrong=True,
        **{"class": "4"},
    )
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    criteria = Filter("a", 2, "4", since, until, True, False, True)  # noqa: FBT003
    assert page["predictions"] == (criteria, 7, "c")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("experiment_name", "a b"),
        ("experiment_name", "a@champion"),
        ("since", "yesterday"),
        ("until", "2026-01-01"),
        ("class", ""),
        ("class", "\x00"),
    ],
)
def test_list_predictions_with_bad_parameter_names_it(parameter: str, value: str) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        API.list_predictions(**{parameter: value})  # type: ignore[arg-type]
    assert raised.value.path == parameter


def test_get_prediction_passes_a_canonical_id() -> None:
    assert cast("Any", API.get_prediction(UUID.upper())) == (UUID,)
    with pytest.raises(MalformedRequestError):
        API.get_prediction("nothing")


def test_label_prediction_passes_its_fields() -> None:
    label = {"label": "4", "labelled_by": "ann"}
    for replaces in (None, "9"):
        document = {**label, "replaces": replaces}
        labeled = cast("Any", API.label_prediction(UUID, document))
        assert labeled == (UUID, "4", "ann", replaces, None)
    answer = {**label, "answers_request": 5}
    assert cast("Any", API.label_prediction(UUID, answer)) == (UUID, "4", "ann", None, 5)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"label": 4}, "label"),
        ({"label": "4" * 65}, "label"),
        ({"labelled_by": " "}, "labelled_by"),
        ({"replaces": 9}, "replaces"),
        ({"answers_request": 0}, "answers_request"),
        ({"answers_request": "5"}, "answers_request"),
        ({"answers_request": 2**63}, "answers_request"),
        ({"more": 1}, ""),
    ],
)
def test_label_prediction_with_bad_field_names_it(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        API.label_prediction(UUID, {"label": "4", "labelled_by": "ann", **changes})
    assert raised.value.path == path

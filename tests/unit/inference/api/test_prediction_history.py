"""GET /predictions and labels: parameters to a filter, and the fields of a label."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from inference.api.prediction_history import PredictionHistoryApi
from inference.database.predictions import Filter
from inference.errors import MalformedRequestError

UUID = "0190f3e2-7c1a-7b5e-9d41-2f6a8c3b1e07"


class FakeHistory:
    """Returns the arguments of each call."""

    def page(self, *arguments: Any) -> tuple[Any, str]:
        return arguments, "next"

    def one(self, *arguments: Any) -> Any:
        return arguments

    def label(self, *arguments: Any) -> Any:
        return arguments


API = PredictionHistoryApi(cast("Any", FakeHistory()))


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
        assert labeled == (UUID, "4", "ann", replaces)
    assert cast("Any", API.label_prediction(UUID, label)) == (UUID, "4", "ann", None)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"label": 4}, "label"),
        ({"label": "4" * 65}, "label"),
        ({"labelled_by": " "}, "labelled_by"),
        ({"replaces": 9}, "replaces"),
        ({"more": 1}, ""),
    ],
)
def test_label_prediction_with_bad_field_names_it(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        API.label_prediction(UUID, {"label": "4", "labelled_by": "ann", **changes})
    assert raised.value.path == path

"""Limits of one call."""

import pytest

from inference.errors import RequestTooLargeError
from inference.prediction.limits import MAX_IMAGES, MAX_PREDICTIONS, check_call_size


def test_call_at_both_limits_is_allowed() -> None:
    check_call_size(MAX_IMAGES, MAX_PREDICTIONS // MAX_IMAGES)


@pytest.mark.parametrize(
    ("images", "models", "detail"),
    [
        (MAX_IMAGES + 1, 1, "at most 1000 images"),
        (MAX_IMAGES, MAX_PREDICTIONS // MAX_IMAGES + 1, "at most 100000 predictions"),
    ],
)
def test_call_above_a_limit_is_refused(images: int, models: int, detail: str) -> None:
    with pytest.raises(RequestTooLargeError, match=detail):
        check_call_size(images, models)

"""Limits of one call: images and predictions. openapi.yaml states both."""

from inference.errors import RequestTooLargeError

MAX_IMAGES = 1000  # web/data/api_client.py sends batches of at most this size
MAX_PREDICTIONS = 100_000  # images times models


def check_call_size(images: int, models: int) -> None:
    """Raise RequestTooLargeError for more images or predictions than one call may have."""
    if images > MAX_IMAGES:
        raise RequestTooLargeError(
            f"One call takes at most {MAX_IMAGES} images. Send the rest in further calls."
        )
    if images * models > MAX_PREDICTIONS:
        raise RequestTooLargeError(
            f"One call gives at most {MAX_PREDICTIONS} predictions, images times models. "
            "Send fewer images or name fewer models."
        )

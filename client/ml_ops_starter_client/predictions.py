"""Predictions of the service for one image."""

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, overload

from ml_ops_starter_client import settings
from ml_ops_starter_client.api import Api, ApiProblemError, Query
from ml_ops_starter_client.frames import to_frame

if TYPE_CHECKING:
    import pandas as pd

SIDE = 28
MAX_PIXEL = 255


@overload
def predict(
    image: object,
    experiments: str | Iterable[str] = ...,
    *,
    frame: Literal[False] = False,
    log: bool = ...,
    url: str | None = ...,
    api_key: str | None = ...,
) -> dict[str, Any]: ...
@overload
def predict(
    image: object,
    experiments: str | Iterable[str] = ...,
    *,
    frame: Literal[True],
    log: bool = ...,
    url: str | None = ...,
    api_key: str | None = ...,
) -> "pd.DataFrame": ...
def predict(
    image: object,
    experiments: str | Iterable[str] = "all",
    *,
    frame: bool = False,
    log: bool = True,
    url: str | None = None,
    api_key: str | None = None,
) -> "dict[str, Any] | pd.DataFrame":
    """Return what models predict for an image.

    Args:
        image: a path, the bytes of an image file, an open binary file, a PIL image, or an array of
            28x28 pixels: whole numbers of 0 to 255, or floats of 0 to 1.
        experiments: names, `NAME@3` for a version, aliases such as `champion`, or all.
        frame: a DataFrame with one row per model. False for the entry of POST /predictions: a
            dictionary with image_digest, warnings, answers and consensus.
        log: False records nothing, for evaluations.
        url: address of the service, by default MLOPS_URL or http://localhost:9090.
        api_key: key of the service, by default MLOPS_API_KEY.

    Raises:
        ApiUnreachableError, ApiProblemError: the service does not answer, or refuses the image.
        OSError: the file cannot be read.
        TypeError, ValueError: the image is none of these.
        ImportError: pandas is not installed.

    """
    names = [experiments] if isinstance(experiments, str) else list(experiments)
    query: dict[str, Query] = {"experiments": names, "log": "true" if log else "false"}
    pixels = _pixels(image)
    content = _content(image) if pixels is None else b""
    with Api(settings.service_url(url), settings.api_key(api_key)) as api:
        if pixels is None:
            response = api.upload("/predictions", "images", content, query=query)
        else:
            response = api.send("POST", "/predictions", {"images": [pixels]}, **query)
    entry = dict(response["predictions"][0])
    problem = entry.get("problem")
    if problem is not None:
        raise ApiProblemError(problem["status"], problem["detail"])
    return to_frame([_row(answer) for answer in entry["answers"]]) if frame else entry


def _content(image: object) -> bytes:
    """Return the bytes of an image file."""
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | os.PathLike):
        return Path(image).read_bytes()
    if hasattr(image, "read"):
        file: IO[bytes] = image  # type: ignore[assignment]
        return file.read()
    if hasattr(image, "save") and hasattr(image, "getbbox"):
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        return buffer.getvalue()
    raise TypeError(
        f"{type(image).__name__} is not an image. Give a path, bytes, an open file, a PIL image or "
        f"an array of {SIDE}x{SIDE} pixels."
    )


def _pixels(image: Any) -> list[list[int]] | None:
    """Return the pixels of an array as whole numbers of 0 to 255, None for other objects."""
    if not (hasattr(image, "tolist") and hasattr(image, "shape")):
        return None
    shape = tuple(size for size in image.shape if size != 1)
    if shape != (SIDE, SIDE):
        raise ValueError(f"The array has the shape {image.shape}. Give {SIDE}x{SIDE} pixels.")
    rows = image.reshape((SIDE, SIDE)).tolist()
    values = [value for row in rows for value in row]
    if all(isinstance(value, int) for value in values):
        factor, limit = 1, MAX_PIXEL
    else:
        factor, limit = MAX_PIXEL, 1
    if not all(0 <= value <= limit for value in values):
        raise ValueError(
            "The array has values outside its range. Whole numbers are 0 to 255, floats 0 to 1."
        )
    return [[round(value * factor) for value in row] for row in rows]


def _row(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of one model without nesting; the probability of 7 is `p_7`."""
    row = {key: value for key, value in answer.items() if key not in ("probabilities", "problem")}
    row |= {f"p_{label}": value for label, value in answer.get("probabilities", {}).items()}
    problem = answer.get("problem")
    row["problem"] = problem["detail"] if problem else None
    return row

"""Occlusion maps from the API: one image, several models."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from web.data import api_parsing
from web.data.api_client import ApiClient
from web.data.api_types import ApiProblemError
from web.data.diagnostics.model_input import read_model_input

# The API explains at most 100 models in one call. A page of more maps is too long to compare.
MAX_MODELS = 48


@dataclass(frozen=True)
class OcclusionMap:
    """Answer of one model, and the probability that it loses with each patch covered.

    Attributes:
        experiment: name of the model.
        label: predicted label.
        confidence: its probability, 0 to 1.
        drops: float32 of shape (13, 13), -1 to 1. Negative where the probability gains.

    """

    experiment: str
    label: str
    confidence: float
    drops: NDArray[np.float32]


@dataclass(frozen=True)
class Explanation:
    """Occlusion maps of one image.

    Attributes:
        pixels: model input, uint8 of shape (28, 28), ink high.
        patch, stride: side of a patch and distance of two, in pixels.
        maps: one for each model that answered, in the order of the request.
        problems: models that did not answer, with the reason.

    """

    pixels: NDArray[np.uint8]
    patch: int
    stride: int
    maps: tuple[OcclusionMap, ...]
    problems: tuple[tuple[str, ApiProblemError], ...] = ()


def explain(api: ApiClient, image: bytes, experiments: Sequence[str]) -> Explanation:
    """Fetch the occlusion maps of an image file, of at most 100 models.

    Raises ApiUnreachableError without a response, and ApiProblemError for an error response or a
    response that breaks the contract.
    """
    body = api.request(
        "POST",
        "/explanations",
        params=[("view", "true"), *(("experiments", name) for name in experiments)],
        files=[("images", ("image", image, "application/octet-stream"))],
    )
    return api_parsing.parse_document(parse_explanation, body)


def parse_explanation(document: Any) -> Explanation:
    """Return the explanation of a document of the API."""
    entries = document["explanations"]
    return Explanation(
        pixels=read_model_input(base64.b64decode(document["view"], validate=True)),
        patch=int(document["patch"]["pixels"]),
        stride=int(document["patch"]["stride"]),
        maps=tuple(
            OcclusionMap(
                str(entry["experiment_name"]),
                str(entry["class"]),
                float(entry["confidence"]),
                np.array(entry["drops"], np.float32),
            )
            for entry in entries
            if "problem" not in entry
        ),
        problems=tuple(
            (str(entry["experiment_name"]), api_parsing.parse_problem(entry["problem"]))
            for entry in entries
            if "problem" in entry
        ),
    )

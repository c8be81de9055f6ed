"""Occlusion maps from documents of the API."""

from typing import Any

import pytest

from tests.support.explanations import explanation_document
from web.data.api_types import ApiProblemError
from web.data.diagnostics.explanations import explain


class FakeApi:
    """Records its requests and returns one document."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.requests: list[tuple[Any, ...]] = []

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        self.requests.append((method, path, arguments["params"], arguments["files"][0][1][1]))
        return self.document


def explained(document: Any, *names: str) -> Any:
    api: Any = FakeApi(document)
    return explain(api, b"image", names), api


def test_explain_reads_maps_and_problems() -> None:
    found, api = explained(explanation_document(["a", "b"], failed=["b"]), "a", "b")
    assert api.requests == [
        (
            "POST",
            "/explanations",
            [("view", "true"), ("experiments", "a"), ("experiments", "b")],
            b"image",
        )
    ]
    [one] = found.maps
    assert (one.experiment, one.label, one.confidence) == ("a", "1", 0.9)
    assert one.drops.shape == (13, 13)
    assert float(one.drops[6, 6]) == pytest.approx(0.4)
    assert (found.pixels.shape, found.pixels[10, 13], found.patch, found.stride) == (
        (28, 28),
        255,
        4,
        2,
    )
    [(name, problem)] = found.problems
    assert (name, problem.status, problem.detail) == ("b", 503, "It *compiles*.")


@pytest.mark.parametrize("missing", ["view", "patch", "explanations"])
def test_document_that_breaks_the_contract_raises(missing: str) -> None:
    document = explanation_document(["a"])
    del document[missing]
    with pytest.raises(ApiProblemError, match="Check API_URL"):
        explained(document, "a")


def test_view_that_is_not_a_png_raises() -> None:
    with pytest.raises(ApiProblemError):
        explained({**explanation_document(["a"]), "view": "AAAA"}, "a")

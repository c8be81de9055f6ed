"""Stack: interpretation of the inference service's readiness."""

from __future__ import annotations

import json

import pytest

from local import stack


def readiness(ready: int, loading: int, failed: int) -> bytes:
    models = {"ready": ready, "loading": loading, "failed": failed}
    return json.dumps({"dependencies": {"models": models}}).encode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (readiness(2, 1, 1), (True, "2 of 4 models loaded (the first start compiles them)")),
        (readiness(4, 0, 0), (False, "ready, 4 models")),
        (
            readiness(3, 0, 1),
            (False, "ready, 3 models, 1 FAILED: see GET /models for the reasons"),
        ),
        (readiness(0, 0, 0), (False, "ready, 0 models")),
        (b"ok", (True, "")),
        (b"{}", (True, "")),
    ],
)
def test_parse_readiness_reports_loading_and_counts(
    body: bytes, expected: tuple[bool, str]
) -> None:
    assert stack._parse_readiness(body) == expected

"""Smoke client: each way in which a service differs from its bundle is named."""

import io
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from delivery import smoke_client
from tests.support.fake_service import serve

BUNDLE = {
    "models": [{"name": "a", "version": 2, "digest": "d" * 64}],
    "probe": {"pixels": "AAAA" * (28 * 28 // 3) + "AA==", "answers": {"a@2": ["7", 0.9]}},
}
ANSWER = {"class": "7", "confidence": 0.90001}
MODEL = {"name": "a", "version": 2, "state": "READY", "reason": None, "digest": "d" * 64}


def answers(
    *, model: Mapping[str, Any] = MODEL, answer: Mapping[str, Any] = ANSWER, ready: int = 200
) -> dict[str, tuple[int, dict[str, Any]]]:
    return {
        "readyz": (ready, {"status": "ok"}),
        "models": (200, {"models": [dict(model)]}),
        "predictions": (200, {"predictions": [{"answers": [dict(answer)]}]}),
    }


def run(
    served: Mapping[str, tuple[int, Mapping[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    keys: list[str | None] | None = None,
    limit: float = 5,
) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(BUNDLE)))
    with serve(served, keys) as url:
        return smoke_client.main(url, time.time(), limit)


def test_service_like_its_bundle_passes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys: list[str | None] = []
    monkeypatch.setenv("API_KEY", "k")
    assert run(answers(), monkeypatch, keys) == 0
    output = capsys.readouterr().out
    assert "models: 1 READY" in output
    assert "probe: 1 answers as bundled" in output
    assert set(keys) == {"k"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ready": 503}, "Not ready within 0 s"),
        ({"model": {**MODEL, "version": 1}}, "a@2 is missing"),
        ({"model": {**MODEL, "state": "FAILED", "reason": "Bad."}}, "a@2 is FAILED: Bad."),
        ({"model": {**MODEL, "digest": "e" * 64}}, "a@2 has digest eee"),
        ({"answer": {"class": "1", "confidence": 0.9}}, "a@2 answers 1 (0.900000) instead of 7"),
        ({"answer": {"class": "7", "confidence": 0.95}}, "a@2 answers 7 (0.950000) instead of 7"),
        ({"answer": {"problem": {"detail": "Not ready."}}}, "a@2: Not ready."),
    ],
)
def test_service_unlike_its_bundle_fails(
    changes: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    limit = 0.3 if "ready" in changes else 5
    assert run(answers(**changes), monkeypatch, limit=limit) == 1
    output = capsys.readouterr().out
    assert "FAILED: " in output
    assert message in output


def test_refused_key_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = {**answers(), "predictions": (401, {"detail": "Send an API key."})}
    assert run(refused, monkeypatch) == 1
    assert "answers 401: Send an API key." in capsys.readouterr().out


def test_service_that_does_not_listen_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(BUNDLE)))
    assert smoke_client.main("http://127.0.0.1:9/api/v1.0", time.time(), 0.2) == 1
    assert "Not ready within 0 s" in capsys.readouterr().out

"""Stack: passwords of its programs, and interpretation of the inference service's readiness."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import inference.settings
from local import settings, stack


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


def test_port_and_drain_of_a_platform_do_not_reach_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PORT": "3000", "DRAIN_SECONDS": "60"}.items():
        monkeypatch.setenv(name, value)
    own = settings.read({"LOCAL_DIR": str(tmp_path), "API_PORT": "9999"})
    service = inference.settings.from_environment(stack.Stack(own).inference.environment)
    assert (service.port, service.drain_seconds) == (9999, 0)


def test_only_set_up_gets_the_owners_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, app, read, web, pipeline = (
        f"{name}-secret" for name in ("owner", "app", "read", "web", "pipeline")
    )
    (tmp_path / "app").write_text(app)
    variables = {
        "POSTGRES_PASSWORD": owner,
        "MLOPS_APP_PASSWORD_FILE": str(tmp_path / "app"),
        "MLOPS_READ_PASSWORD": read,
        "MLOPS_WEB_PASSWORD": web,
        "MLOPS_PIPELINE_PASSWORD": pipeline,
        "LOCAL_DIR": str(tmp_path),
        "MAKEFLAGS": f" -- POSTGRES_PASSWORD={owner}",
        "MAKEOVERRIDES": f"POSTGRES_PASSWORD={owner}",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    programs = stack.Stack(settings.read(variables)).programs
    found = {
        program.name: {
            secret
            for secret in (owner, app, read, web, pipeline)
            if secret in " ".join([*program.environment.values(), *program.command])
        }
        for program in programs
    }
    assert found == {
        "postgres": set(),
        "db-setup": {owner, app, read, web, pipeline},
        "inference": {app},
        "web": {web},
        "pipeline": {pipeline},
    }
    assert not any("MLOPS_APP_PASSWORD_FILE" in program.environment for program in programs)


def test_set_up_that_waits_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "PROGRESS_SECONDS", 0.2)
    current = stack.Stack(settings.read({"LOCAL_DIR": str(tmp_path)}))
    code = (
        "import time; print('Waiting for mlops_read', flush=True); time.sleep(1.5); print('done')"
    )
    current.setup.command = [sys.executable, "-c", code]
    reports: list[tuple[str, str]] = []
    current.run_setup(lambda name, text: reports.append((name, text)))
    assert ("data", "Waiting for mlops_read") in reports
    assert reports[-1][1].startswith("done (")


def test_parse_readiness_waits_for_the_model_registry() -> None:
    body = json.loads(readiness(0, 0, 0))
    body["dependencies"]["registry"] = {"status": "starting", "detail": "S3 does not answer."}
    expected = (True, "model registry: S3 does not answer.")
    assert stack._parse_readiness(json.dumps(body).encode()) == expected
    body["dependencies"]["registry"]["status"] = "failing"
    assert stack._parse_readiness(json.dumps(body).encode())[0] is False

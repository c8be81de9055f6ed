"""Programs with unmodified clients of the serving protocols, in the environments of their locks."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from supply_chain.tools import tools_python

ROOT = Path(__file__).parents[2]
PACKAGE = "tests.corpus.protocol_clients"
LOCKS = {
    "tritonclient_sync": "protocol_clients",
    "tritonclient_aio": "protocol_clients",
    "kserve_rest": "protocol_clients",
    "mlflow_scoring": "mlflow",
}


def start_program(name: str, service: dict[str, Any], **variables: str) -> subprocess.Popen[str]:
    """Start a program of tests/corpus/protocol_clients with the description of a service."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return subprocess.Popen(
        [tools_python(LOCKS[name]), "-m", f"{PACKAGE}.{name}", json.dumps(service)],
        cwd=ROOT,
        env={**inherited, "MLFLOW_DISABLE_TELEMETRY": "true", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_report(program: subprocess.Popen[str], timeout_seconds: float = 250) -> dict[str, Any]:
    """Wait for the successful end of a program and return its report."""
    try:
        output, log = program.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        program.kill()
        program.communicate()
        raise
    assert program.returncode == 0, log
    report: dict[str, Any] = json.loads(output.splitlines()[-1])
    return report

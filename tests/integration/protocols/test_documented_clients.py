"""Documented clients: every snippet of doc/protocols.md predicts with the real service.

The clients are unmodified, in the environments of their locks, and run all at once.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from supply_chain.tools import tools_python
from tests.conftest import SHIPPED, digit_png
from tests.support.database import connect
from tests.support.mlflow_client import client_python
from tests.support.tracked_service import run_service
from tests.unit.inference.conftest import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PAGE = (Path(__file__).parents[3] / "doc" / "protocols.md").read_text()
BLOCKS = re.findall(r"```(python|sh)\n(.*?)```", PAGE, re.DOTALL)
[QUERY] = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
OWN_CLIENT = str(Path(__file__).parents[3] / "client")
PROGRAM_SECONDS = 120
PIXELS = 784
DIGITS = "73"  # of digits.npy; the first is that of all other files


def write_images(folder: Path) -> None:
    """Write the files that the page names."""
    (folder / "digit.png").write_bytes(digit_png(DIGITS[0]))
    images = [np.asarray(Image.open(io.BytesIO(digit_png(digit)))) for digit in DIGITS]
    np.save(folder / "digits.npy", np.stack(images))
    images[0].tofile(folder / "digit.raw")
    with (folder / "digits.csv").open("w", newline="") as file:
        csv.writer(file).writerows([range(PIXELS), images[0].ravel()])


def command(language: str, code: str) -> list[str]:
    """Return the command of a snippet, with the Python that has its client."""
    if language == "sh":
        return ["bash", "-c", code]
    if "tritonclient" in code or "kserve" in code:
        return [tools_python("protocol_clients"), "-c", code]
    return [client_python() if "mlflow" in code else sys.executable, "-c", code]


@pytest.fixture(scope="module")
def address(
    module_database: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a service with the shipped models."""
    role = {**module_database, "PGUSER": "mlops_app", "PGPASSWORD": "pass123"}
    folder = tmp_path_factory.mktemp("service")
    with run_service(folder, **role, MODELS_DIR=str(SHIPPED)) as service:
        yield service.root.removeprefix("http://")


@pytest.fixture(scope="module")
def programs(
    address: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Running programs by snippet."""
    folder = tmp_path_factory.mktemp("snippets")
    write_images(folder)
    host, _, port = address.partition(":")
    running = {}
    for language, code in BLOCKS:
        own = code.replace("localhost:9090", address)
        own = own.replace('"localhost", 9090', f'"{host}", {port}')
        own = own.replace('"localhost", "9090', f'"{host}", "{port}')
        assert "9090" not in own
        running[code] = subprocess.Popen(
            command(language, own),
            cwd=folder,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": OWN_CLIENT},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    yield running
    for program in running.values():
        program.kill()
        program.wait()


def predicted_digits(output: str) -> str:
    """Return the digits in the last line of a program's output, or of a JSON response."""
    if not output.startswith("{"):
        return "".join(re.findall(r"\d", output.strip().splitlines()[-1]))
    document = json.loads(output)
    rows = document.get("predictions") or np.reshape(document["outputs"][0]["data"], (-1, 10))
    return "".join(map(str, np.argmax(rows, axis=1)))


@pytest.mark.parametrize("code", [code for _, code in BLOCKS])
def test_documented_snippet_predicts(programs: dict[str, subprocess.Popen[str]], code: str) -> None:
    output, log = programs[code].communicate(timeout=PROGRAM_SECONDS)
    assert programs[code].returncode == 0, log
    assert predicted_digits(output) == (DIGITS if "digits.npy" in code else DIGITS[0])


@pytest.mark.usefixtures("programs")
def test_documented_query_finds_the_clients(module_database: dict[str, str]) -> None:
    """Runs after the snippets. Three of them use TensorFlow Serving's protocol."""

    def sources() -> set[str]:
        connection = connect(module_database, "mlops_read")
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(QUERY)
            return {source.partition("/")[0] for source, *_ in cursor.fetchall()}

    eventually(lambda: sources() == {"curl", "python-requests", "python-httpx"})

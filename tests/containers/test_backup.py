"""Backup and restore of the compose stack, with the standard library of Python only."""

import io
import os
import subprocess
import sys
from pathlib import Path

import requests

from tests.containers.conftest import ROOT, Compose, wait_until

EXPERIMENT = min(folder.name for folder in (ROOT / "models").iterdir() if folder.is_dir())
SUMS = """
SELECT count(*), md5(string_agg(e::text, ',' ORDER BY e::text)), (SELECT count(*) FROM experiments),
       (SELECT count(original_url) FROM images), (SELECT sum(events) FROM traffic)
FROM prediction_events e
"""


def run_backup(compose: Compose, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "local.backup", *arguments, "--compose"],
        cwd=compose.folder,
        env={**os.environ, **compose.ports, "COMPOSE_PROJECT_NAME": compose.name},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def predict(compose: Compose, digit: bytes) -> str:
    """Predict a digit, wait until its original is stored, and return the digest of its pixels."""
    response = requests.post(
        f"{compose.api_url}/inference?experiment_name={EXPERIMENT}",
        files={"image_blob": io.BytesIO(digit)},
        timeout=10,
    )
    digest = str(response.json()["image_digest"])
    stored = f"SELECT 1 FROM images WHERE digest = '{digest}' AND original_url IS NOT NULL"
    wait_until(lambda: len(compose.rows(stored)) == 1)
    return digest


def test_backup_restores_in_place_of_the_stack(
    compose: Compose, digits: dict[str, bytes], tmp_path: Path
) -> None:
    kept, backup = predict(compose, digits["3"]), str(tmp_path / "mlops.tar")
    before = compose.rows(SUMS)
    assert run_backup(compose, "create", backup)[0] == 0
    lost = predict(compose, digits["4"])
    assert compose.rows(SUMS) != before
    status, output = run_backup(compose, "restore", backup, "--replace")
    assert (status, "is running" in output) == (1, True)
    compose.run("stop", "web", "inference")
    status, output = run_backup(compose, "restore", backup)
    assert (status, "not empty" in output) == (1, True)
    status, output = run_backup(compose, "restore", backup, "--replace")
    assert status == 0, output
    assert compose.rows(SUMS) == before
    compose.run("up", "-d", "--wait")
    image = requests.get(f"{compose.api_url}/images/{kept}", timeout=10)
    assert (image.status_code, image.content) == (200, digits["3"])
    assert requests.get(f"{compose.api_url}/images/{lost}", timeout=10).status_code == 404
    predict(compose, digits["5"])

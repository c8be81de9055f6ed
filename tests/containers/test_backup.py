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
       (SELECT count(original_url) FROM images), (SELECT sum(events) FROM traffic),
       (SELECT md5(string_agg(r::text, ',' ORDER BY id)) FROM pipeline_runs r),
       (SELECT md5(string_agg(d::text, ',' ORDER BY id)) FROM datasets d),
       (SELECT md5(string_agg(j::text, ',' ORDER BY id)) FROM procrastinate.procrastinate_jobs j)
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


def request_run(compose: Compose) -> int:
    """Request a run that ends after `prepare`, for lack of a recipe."""
    query = "SELECT run_id FROM request_run('mnist', 'none', '{}', 'manual', 'test', 'test')"
    [(run_id,)] = compose.rows(query)
    assert isinstance(run_id, int)
    return run_id


def wait_for_end(compose: Compose, run_id: int) -> None:
    state = f"SELECT state, split_part(reason, ':', 1) FROM pipeline_runs WHERE id = {run_id}"
    wait_until(lambda: compose.rows(state) == [("FAILED", "train")])


def test_backup_restores_in_place_of_the_stack(
    loop: Compose, digits: dict[str, bytes], tmp_path: Path
) -> None:
    kept, backup = predict(loop, digits["3"]), str(tmp_path / "mlops.tar")
    wait_for_end(loop, request_run(loop))  # leaves a dataset in the storage
    loop.run("pause", "pipeline")
    queued = request_run(loop)
    before = loop.rows(SUMS)
    assert run_backup(loop, "create", backup)[0] == 0
    lost = predict(loop, digits["4"])
    assert loop.rows(SUMS) != before
    status, output = run_backup(loop, "restore", backup, "--replace")
    assert (status, "is running" in output) == (1, True)
    loop.run("stop", "web", "inference")
    loop.run("unpause", "pipeline")
    status, output = run_backup(loop, "restore", backup, "--replace")
    assert (status, "is running" in output) == (1, True)  # the worker writes, too
    loop.run("stop", "pipeline")
    status, output = run_backup(loop, "restore", backup)
    assert (status, "not empty" in output) == (1, True)
    status, output = run_backup(loop, "restore", backup, "--replace")
    assert status == 0, output
    assert loop.rows(SUMS) == before
    loop.run("--profile", "loop", "up", "-d", "--wait")
    image = requests.get(f"{loop.api_url}/images/{kept}", timeout=10)
    assert (image.status_code, image.content) == (200, digits["3"])
    assert requests.get(f"{loop.api_url}/images/{lost}", timeout=10).status_code == 404
    predict(loop, digits["5"])
    wait_for_end(loop, queued)

"""Export of the compose stack, started with the standard library of Python only."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import requests

from tests.containers.conftest import ROOT, Compose, wait_until

EXPERIMENT = min(folder.name for folder in (ROOT / "models").iterdir() if folder.is_dir())
EVENTS = "SELECT id::text FROM prediction_events"


def test_export_writes_files_of_the_caller(
    loop: Compose, digits: dict[str, bytes], tmp_path: Path
) -> None:
    requests.post(
        f"{loop.api_url}/inference?experiment_name={EXPERIMENT}",
        files={"image_blob": io.BytesIO(digits["7"])},
        timeout=10,
    )
    wait_until(lambda: bool(loop.rows(EVENTS)))
    out = tmp_path / "new" / "out"
    done = subprocess.run(
        [sys.executable, "-S", "-m", "local.export", str(out), "--compose"],
        cwd=loop.folder,
        env={**os.environ, **loop.ports, "COMPOSE_PROJECT_NAME": loop.name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    exported = {
        row
        for path in out.glob("events/day=*/part.parquet")
        for row in pq.ParquetFile(path).read().column("id").to_pylist()
    }
    assert exported == {row for (row,) in loop.rows(EVENTS)}
    assert {path.stat().st_uid for path in (out, *out.rglob("*.parquet"))} == {os.getuid()}

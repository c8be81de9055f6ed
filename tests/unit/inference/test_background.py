"""The background process and the service reject an invalid IMAGES_URL when they start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def start(module: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**os.environ, "JOURNAL_DIR": str(folder / "journal"), **environment},
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("module", ["inference", "inference.background"])
def test_start_with_an_invalid_images_url_is_explained(tmp_path: Path, module: str) -> None:
    done = start(module, tmp_path, IMAGES_URL="ftp://user:secret@server/images")
    assert done.returncode == 1
    assert done.stderr.startswith("Cannot start: IMAGES_URL must be a directory, file:///directory")
    assert "secret" not in done.stderr


def test_background_with_an_unusable_journal_is_explained(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")
    done = start("inference.background", tmp_path)
    assert done.returncode == 1
    assert "Cannot use the journal directory" in done.stderr


def test_background_without_postgres_ends_with_its_input(tmp_path: Path) -> None:
    done = start("inference.background", tmp_path, PGHOST="127.0.0.1", PGPORT="1")
    assert done.returncode == 0, done.stderr
    assert "The prediction log waits in" in done.stderr + done.stdout

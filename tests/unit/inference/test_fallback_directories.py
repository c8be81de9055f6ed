"""Fallback directories: a read-only root, and directories that another user has taken."""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from inference import fallback_directories
from inference.fallback_directories import choose, is_writable
from inference.settings import Settings, from_environment


def settings_in(folder: Path, **more: str) -> Settings:
    directories = {"JOURNAL_DIR": str(folder / "journal"), "COMPILED_DIR": str(folder / "compiled")}
    return from_environment({**directories, "IMAGES_URL": str(folder / "images"), **more})


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that cannot be written to, and a directory of temporary files that can."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    folder = tmp_path / "read-only"
    folder.mkdir()
    access = os.access

    def deny(path: Path, mode: int) -> bool:  # root may write to any directory
        return not path.is_relative_to(folder) and access(path, mode)

    monkeypatch.setattr("inference.fallback_directories.os.access", deny)
    return folder


def test_writable_directories_are_kept(tmp_path: Path) -> None:
    assert choose(settings_in(tmp_path), tmp_path / "images") == {}
    assert list(tmp_path.iterdir()) == []  # nothing was created


def test_read_only_directories_are_replaced_and_named_once(
    read_only: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        variables = choose(settings_in(read_only), read_only / "images")
    replaced = {name: Path(variables[name]) for name in ("JOURNAL_DIR", "COMPILED_DIR")}
    assert {path.parent for path in replaced.values()} == {Path(tempfile.gettempdir())}
    assert {path.stat().st_mode & 0o777 for path in replaced.values()} == {0o700}
    assert replaced["JOURNAL_DIR"] != replaced["COMPILED_DIR"]
    assert variables["IMAGES_STORE"] == "0"
    assert [record.getMessage().partition("=")[0] for record in caplog.records] == [
        "JOURNAL_DIR",
        "COMPILED_DIR",
        "IMAGES_URL",
    ]
    # A restart in the same container finds the records that are not shipped yet.
    assert choose(settings_in(read_only), read_only / "images") == variables
    # Another service, with a directory of its own, does not share it.
    others = choose(settings_in(read_only / "other"), None)
    assert others["JOURNAL_DIR"] != variables["JOURNAL_DIR"]


def test_originals_in_a_bucket_stay_on(read_only: Path) -> None:
    assert "IMAGES_STORE" not in choose(settings_in(read_only), None)


def test_path_that_is_a_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")
    assert is_writable(tmp_path / "journal")


def test_fallback_of_another_user_is_refused(read_only: Path) -> None:
    fallback = Path(choose(settings_in(read_only), None)["JOURNAL_DIR"])
    fallback.rmdir()
    fallback.symlink_to(read_only)
    with pytest.raises(ValueError, match="is not a private directory"):
        choose(settings_in(read_only), None)
    fallback.unlink()
    fallback.mkdir(mode=0o777)
    fallback.chmod(0o777)
    with pytest.raises(ValueError, match="is not a private directory"):
        choose(settings_in(read_only), None)


def test_shared_memory_is_used_without_a_temporary_directory(
    read_only: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shared = tmp_path / "shared-memory"
    shared.mkdir()
    monkeypatch.setattr(fallback_directories, "SHARED_MEMORY", shared)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [os.environ.get("TMPDIR", "")])
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    assert Path(choose(settings_in(read_only), None)["JOURNAL_DIR"]).parent == shared
    assert os.environ["TMPDIR"] == str(shared)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setattr(fallback_directories, "SHARED_MEMORY", read_only)
    with pytest.raises(ValueError, match="No temporary directory is writable"):
        choose(settings_in(read_only), None)


def test_start_on_a_read_only_root_is_possible(tmp_path: Path) -> None:
    """A real read-only file system, where the machine allows to mount one."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare")
    script = (
        "mount -t tmpfs -o ro none root && exec "
        f"{sys.executable} -c 'from pathlib import Path;"
        " from inference.fallback_directories import is_writable;"
        ' print(is_writable(Path("root/journal")))\''
    )
    (tmp_path / "root").mkdir()
    done = subprocess.run(
        [unshare, "--mount", "--map-root-user", "sh", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no mount here: {done.stderr.strip()[:80]}")
    assert done.stdout.strip() == "False"

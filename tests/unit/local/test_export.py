import os
from pathlib import Path

import pytest

from local.export import compose_command

RUN = ["docker", "compose", "run", "--rm", "--no-deps", "-T"]


def test_compose_export_to_a_bucket_runs_the_service() -> None:
    assert compose_command("s3://bucket/x", ["--since", "2026-11-01"]) == [
        *RUN,
        "export",
        "s3://bucket/x",
        "--since",
        "2026-11-01",
    ]


def test_compose_export_to_a_directory_mounts_it_for_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = compose_command("out/deep", [])
    user = f"{os.getuid()}:{os.getgid()}"
    mount = f"{tmp_path}/out/deep:/export"
    assert command == [*RUN, "--user", user, "--volume", mount, "export", "/export"]
    assert (tmp_path / "out" / "deep").is_dir()

"""Whole processes: how a script ends, data loaders, and the wheel."""

import os
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from tests.support.fake_tracking import FakeTracking

SEND = """
import sys
from ml_ops_starter_client.__main__ import main
sys.exit(main(["send"]))
"""
ROOT = Path(__file__).parent.parent.parent.parent


def run_script(
    program: str, *, client: str = str(ROOT / "client"), expected: int = 0
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": client},
    )
    assert result.returncode == expected, result.stderr
    return result


@pytest.mark.parametrize(
    ("end", "status", "state"),
    [
        ("", 0, "finished"),
        ("1 / 0", 1, "failed"),
        ("raise KeyboardInterrupt", -2, "killed"),
        ("del run", 0, "finished"),
    ],
)
def test_script_without_finish_stores_all_and_its_state(
    service: FakeTracking, end: str, status: int, state: str
) -> None:
    program = f"""
        from ml_ops_starter_client import start
        run = start("script")
        for step in range(500):
            run.log(step, loss=step)
        {end}
    """
    result = run_script(program, expected=status)
    stored = service.run("script")
    assert stored.values("loss") == list(range(500))
    assert stored.document["state"] == state
    assert "script" not in result.stderr


def test_script_that_ends_while_the_service_is_away_keeps_all(
    service: FakeTracking, spool: Path
) -> None:
    service.stop()
    result = run_script(
        """
        from ml_ops_starter_client import runs, start
        runs.CLOSE_SECONDS = 0.5
        run = start("away")
        for step in range(500):
            run.log(step, loss=step)
        """
    )
    assert len(result.stderr.splitlines()) == 2
    assert "501 records are not sent" in result.stderr
    service.start()
    run_script(SEND)
    assert service.run("away").values("loss") == list(range(500))
    assert list(spool.iterdir()) == []


def test_processes_of_a_data_loader_log_to_the_run(service: FakeTracking, spool: Path) -> None:
    run_script(
        """
        import multiprocessing
        from ml_ops_starter_client import start

        def load(number):
            for step in range(100):
                run.log(step, {f"loader_{number}": step})

        run = start("loaders")
        run.log(0, loss=1)
        context = multiprocessing.get_context("fork")
        workers = [context.Process(target=load, args=[i]) for i in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        run.log(1, loss=2)
        """
    )
    stored = service.run("loaders")
    assert all(stored.values(f"loader_{number}") == list(range(100)) for number in range(4))
    assert stored.values("loss") == [1, 2]
    assert stored.document["state"] == "finished"
    assert not spool.exists() or list(spool.iterdir()) == []


def test_killed_script_keeps_what_it_logged_during_an_outage(
    service: FakeTracking, spool: Path
) -> None:
    service.stop()
    run_script(
        """
        import os, signal, time
        from pathlib import Path
        from ml_ops_starter_client import start
        run = start("killed")
        run.log(0, loss=1)
        while not list(Path(os.environ["MLOPS_SPOOL_DIR"]).glob("*.jsonl")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        expected=-9,
    )
    service.start()
    run_script(SEND)
    assert service.run("killed").values("loss") == [1]
    assert list(spool.iterdir()) == []


def test_wheel_needs_only_requests(service: FakeTracking, tmp_path: Path) -> None:
    source = tmp_path / "client"
    shutil.copytree(ROOT / "client", source, ignore=shutil.ignore_patterns("dist", "*.egg-info"))
    build = [str(Path(sys.prefix, "bin", "uv")), "build", "--quiet", "--offline"]
    options = ["--no-build-isolation", "--python", sys.executable, str(source)]
    subprocess.run([*build, *options], check=True)
    base = "ml_ops_starter_client-0.1.0"
    wheel = source / "dist" / f"{base}-py3-none-any.whl"
    assert (source / "dist" / f"{base}.tar.gz").exists()
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
        metadata = archive.read(f"{base}.dist-info/METADATA").decode()
    modules = {
        path.relative_to(ROOT / "client").as_posix()
        for path in (ROOT / "client" / "ml_ops_starter_client").glob("*.py")
    }
    assert modules | {"ml_ops_starter_client/py.typed"} <= files
    assert [line for line in metadata.splitlines() if line.startswith("Requires-Dist")] == [
        "Requires-Dist: requests>=2.28",
        'Requires-Dist: pandas; extra == "pandas"',
    ]
    result = run_script(
        """
        import sys
        import ml_ops_starter_client
        with ml_ops_starter_client.start("wheel") as run:
            run.log(0, loss=1)
        assert ".whl" in ml_ops_starter_client.__file__
        print(*sorted({name.split(".")[0] for name in sys.modules}))
        """,
        client=str(wheel),
    )
    heavy = {"keras", "numpy", "pandas", "PIL", "tensorflow", "torch"}
    assert heavy.isdisjoint(result.stdout.split())
    assert service.run("wheel").values("loss") == [1]

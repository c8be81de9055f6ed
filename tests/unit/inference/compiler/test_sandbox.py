"""Sandbox: each denied action works outside it and fails inside.

A test is skipped where the platform lacks its feature.
"""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from inference.compiler import sandbox

ROOT = Path(__file__).parents[4]
MISSING = " ".join(sandbox.missing_features())
needs_landlock = pytest.mark.skipif("Landlock" in MISSING, reason="this kernel has no Landlock")
needs_seccomp = pytest.mark.skipif("seccomp" in MISSING, reason="this platform has no seccomp")
needs_address_space = pytest.mark.skipif(
    "address" in MISSING, reason="this platform has no address space limit"
)
ENTER = (
    "from inference.compiler import sandbox; from pathlib import Path; sandbox.enter(Path.cwd())\n"
)


def run(code: str, folder: Path, before: str = ENTER) -> subprocess.CompletedProcess[str]:
    """Run Python code with `folder` as the working directory, in the sandbox by default."""
    environment = {"PYTHONPATH": str(ROOT), "HOME": str(folder), "TMPDIR": str(folder)}
    words = [
        sys.executable,
        "-P",
        "-s",
        "-c",
        before + "import os, socket, subprocess, threading\n" + code,
    ]
    return subprocess.run(
        words, capture_output=True, text=True, timeout=60, check=False, cwd=folder, env=environment
    )


def assert_denied(code: str, folder: Path, error: str) -> None:
    """Check that code works outside the sandbox and raises an error inside."""
    outside, inside = run(code, folder, ""), run(code, folder)
    assert outside.returncode == 0, outside.stderr
    assert inside.returncode == 1
    assert inside.stderr.splitlines()[-1].startswith(error)


@needs_landlock
@pytest.mark.parametrize(
    "code",
    [
        "open('../secret').read()",
        "open('../new', 'w')",
        "open('../secret', 'a')",
        "os.truncate('../secret', 3)",
        "os.listdir('..')",
        "os.mkdir(f'../{os.getpid()}')",
        "os.rmdir('../empty') or os.mkdir('../empty')",
        "os.rename('../moved', '../moved')",
        "open('/etc/passwd')",
    ],
)
def test_sandbox_denies_other_files(tmp_path: Path, code: str) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "empty").mkdir()
    (tmp_path / "moved").write_text("moved")
    assert_denied(code, tmp_path / "own", "PermissionError")


@needs_landlock
def test_sandbox_allows_additional_directories(tmp_path: Path) -> None:
    own, readable = tmp_path / "own", tmp_path / "readable"
    own.mkdir()
    readable.mkdir()
    (readable / "file").write_text("text")
    enter = ENTER.replace("Path.cwd()", f"Path.cwd(), [Path({str(readable)!r})]")
    assert run("print(open('../readable/file').read())", own, enter).stdout == "text\n"
    assert "PermissionError" in run("open('../readable/file', 'a')", own, enter).stderr


@needs_address_space
def test_sandbox_limits_memory_to_an_argument(tmp_path: Path) -> None:
    enter = ENTER.replace("Path.cwd()", "Path.cwd(), (), 2**30")
    done = run("import mmap; mmap.mmap(-1, 2 * 2**30)", tmp_path, enter)
    assert done.stderr.splitlines()[-1].startswith("OSError")


@needs_landlock
def test_sandbox_confines_threads(tmp_path: Path) -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
ThreadPoolExecutor().submit(open, "/etc/passwd").result()
"""
    assert_denied(code, tmp_path, "PermissionError")


def test_sandbox_allows_its_directory_and_its_libraries(tmp_path: Path) -> None:
    code = """
import tempfile, json, numpy, h5py
os.mkdir("d")
open("d/x", "w").write("hello")
os.rename("d/x", "d/y")
assert open("d/y").read() == "hello"
os.unlink("d/y"); os.rmdir("d")
with tempfile.NamedTemporaryFile() as file: file.write(b"x")
thread = threading.Thread(target=print, args=["done"]); thread.start(); thread.join()
"""
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@needs_seccomp
@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.socket(type=socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_UNIX)",
        "subprocess.run(['true'])",
        "os.fork() or os._exit(0)",
        "os.posix_spawn('/usr/bin/env', ['env'], {})",
        "os.kill(os.getppid(), 0)",
    ],
)
def test_sandbox_denies_network_and_processes(tmp_path: Path, code: str) -> None:
    assert_denied(code, tmp_path, "PermissionError")


@needs_seccomp
def test_sandbox_denies_connections(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert_denied(
            f"socket.create_connection(('127.0.0.1', {server.getsockname()[1]}))",
            tmp_path,
            "PermissionError",
        )


@needs_address_space
def test_sandbox_limits_memory(tmp_path: Path) -> None:
    assert_denied("import mmap; mmap.mmap(-1, 5 * 2**30)", tmp_path, "OSError")


def test_sandbox_limits_files_and_writes_no_core(tmp_path: Path) -> None:
    assert_denied(f"open('x', 'wb').truncate({sandbox.FILE_BYTES + 1})", tmp_path, "OSError")
    assert (
        run("import resource; print(resource.getrlimit(resource.RLIMIT_CORE))", tmp_path).stdout
        == "(0, 0)\n"
    )


@pytest.mark.slow
def test_limit_cpu_applies_to_each_job(tmp_path: Path) -> None:
    spin = "import time\nwhile time.process_time() < {}: pass\n"
    twice = "".join(
        f"sandbox.limit_cpu(2)\n{spin.format(end)}print({end}, flush=True)\n"
        for end in (1.5, 3, 60)
    )
    done = run(twice, tmp_path)
    assert (done.returncode, done.stdout) == (-signal.SIGXCPU, "1.5\n3\n")


def test_sandbox_command_confines_a_module(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-P",
        "-s",
        "-m",
        "inference.compiler.sandbox",
        "timeit",
        "-n",
        "1",
        "-r",
        "1",
        "open('own', 'w')",
    ]
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        words, capture_output=True, timeout=60, check=False, cwd=tmp_path, env=environment
    )
    assert (done.returncode, (tmp_path / "own").exists()) == (0, True)
    if not MISSING:
        words[-1] = "open('../other', 'w')"
        assert (
            subprocess.run(
                words, capture_output=True, timeout=60, check=False, cwd=tmp_path, env=environment
            ).returncode
            == 1
        )

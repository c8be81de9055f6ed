"""Compiler process: the protocol with the child, and failures of either side.

Children that misbehave are tested in tests/integration/models/test_hostile_models.py.
"""

import socket
import threading
import time
from pathlib import Path

import pytest

from inference.compiler import child_errors, process, sandbox
from inference.compiler.child_errors import STOPPED, CompilationError
from inference.compiler.process import MAX_LINE_BYTES, Compiler, read_line
from tests.corpus.keras_models import GOOD

REFUSING_CHILD = """
import json, socket
socket.socket(fileno=0).sendall(json.dumps({"error": "No TensorFlow here."}).encode() + b"\\n")
"""


def test_read_line_joins_the_parts_of_a_line() -> None:
    one, other = socket.socketpair()
    with one, other:

        def send() -> None:
            for part in (b"ab", b"cd", b"\n"):
                other.sendall(part)
                time.sleep(0.05)

        thread = threading.Thread(target=send)
        thread.start()
        assert read_line(one, 10) == b"abcd\n"
        thread.join()


def test_read_line_times_out() -> None:
    one, other = socket.socketpair()
    with one, other:
        other.sendall(b"no end")
        with pytest.raises(TimeoutError):
            read_line(one, 0.1)


def test_read_line_from_a_closed_peer_raises() -> None:
    one, other = socket.socketpair()
    with one:
        other.close()
        with pytest.raises(ConnectionError):
            read_line(one)


def test_read_line_above_the_limit_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_LINE_BYTES", 10)
    one, other = socket.socketpair()
    with one, other:
        other.sendall(b"x" * 70_000)  # more than one part
        with pytest.raises(ConnectionError):
            read_line(one)
    assert MAX_LINE_BYTES > 2**20


def test_compile_passes_the_error_of_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "CHILD", ["-c", REFUSING_CHILD])
    with Compiler() as compiler, pytest.raises(CompilationError, match="No TensorFlow here"):
        compiler.compile(GOOD, tmp_path / "out", {})
    assert not (tmp_path / "out").exists()


DYING_CHILD = """
import os, socket, sys
channel = socket.socket(fileno=0)
channel.sendall(b'{"error": null}\\n')
channel.recv(1)
print("terminate called after throwing an instance of std::bad_alloc", file=sys.stderr)
os.abort()
"""
DYING_ONCE = """
import os, sys
if not os.path.exists(sys.argv[1]):
    open(sys.argv[1], "w").close()
    os.abort()
"""


def test_compile_by_a_dying_child_fails_with_its_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "CHILD", ["-c", DYING_CHILD])
    reason = r"crashed \(exit code -6\)\. .* Its last output: terminate .* std::bad_alloc\."
    with Compiler() as compiler, pytest.raises(CompilationError, match=reason):
        compiler.compile(GOOD, tmp_path / "out", {})


def test_compile_by_a_dying_child_is_tried_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        process, "CHILD", ["-c", DYING_ONCE + REFUSING_CHILD, str(tmp_path / "died")]
    )
    with Compiler() as compiler, pytest.raises(CompilationError, match="No TensorFlow here"):
        compiler.compile(GOOD, tmp_path / "out", {})
    assert (tmp_path / "died").exists()


def test_compile_after_stop_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CHILD", ["-c", REFUSING_CHILD])
    with Compiler() as compiler:
        compiler.stop()
        with pytest.raises(CompilationError, match=STOPPED):
            compiler.compile(GOOD, tmp_path / "out", {})


def test_compile_missing_or_linked_file_starts_no_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "CHILD", ["-c", "raise SystemExit"])
    (tmp_path / "link.keras").symlink_to(GOOD)
    with Compiler() as compiler:
        with pytest.raises(FileNotFoundError):
            compiler.compile(tmp_path / "nowhere.keras", tmp_path / "out", {})
        with pytest.raises(CompilationError, match="symbolic link"):
            compiler.compile(tmp_path / "link.keras", tmp_path / "out", {})
        assert compiler._child is None


def test_wall_limit_exceeds_the_cpu_limit() -> None:
    assert child_errors.WALL_SECONDS > sandbox.CPU_SECONDS

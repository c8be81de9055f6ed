"""Hostile Keras models: the whole corpus through the compiler.

No model may run code, read or write other files, or connect.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inference.compiler import sandbox
from inference.compiler.child_errors import OUT_OF_MEMORY, CompilationError
from inference.compiler.process import Compiler
from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, Card
from inference.runtime.network import Network
from tests.corpus.keras_models import GOOD, corpus

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 600
SLOW = "takes longer than"
NOISE = np.random.default_rng(0).integers(0, 256, (8, 28, 28), np.uint8)


@pytest.fixture
def calls() -> Iterator[list[object]]:
    """The port that the corpus connects to, followed by the peers that connected."""
    found: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, peer = server.accept()
                except OSError:
                    return
                found.append(peer)
                connection.close()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        found.append(server.getsockname()[1])
        yield found
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def answers(directory: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    card = Card.read(directory / CARD_FILE)
    return Network(
        (directory / LITERT_FILE).read_bytes(), len(card.classes), card.input, card.output
    ).probabilities(NOISE)


def peak_bytes(compiler: Compiler) -> int:
    assert compiler._child is not None
    try:
        status = Path(f"/proc/{compiler._child.pid}/status").read_text()
    except FileNotFoundError:
        return 0  # no /proc on this platform
    return 1024 * int(
        next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    )


@pytest.mark.timeout(PATIENCE_SECONDS)
def test_compile_hostile_models_fails_with_reasons_without_harm(
    tmp_path: Path, calls: list[object]
) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "canary").write_text("secret of the canary")
    before = set(shelf.rglob("*"))
    cases = corpus(shelf, port=int(str(calls[0])))
    reasons: dict[str, str | None] = {}
    children = set()
    peak = 0
    started = time.monotonic()
    with Compiler() as compiler:
        compiler.compile(GOOD, tmp_path / "first", {})
        expected = answers(tmp_path / "first")
        for number, case in enumerate(cases):
            place = tmp_path / "in" / str(number)
            place.mkdir(parents=True)
            case.make(place / KERAS_FILE)
            try:
                compiler.compile(place / KERAS_FILE, tmp_path / "out" / str(number), case.declared)
                reasons[case.name] = None
                assert case.may_be_served, case.name
                assert (answers(tmp_path / "out" / str(number)) == expected).all(), case.name
            except CompilationError as error:
                reasons[case.name] = str(error)
                assert not (tmp_path / "out" / str(number)).exists()
            if compiler._child is not None:
                children.add(compiler._child.pid)
                peak = max(peak, peak_bytes(compiler))
        compiler.compile(GOOD, tmp_path / "last", {})
        assert (answers(tmp_path / "last") == expected).all()
    took = time.monotonic() - started
    refused = [reason for reason in reasons.values() if reason is not None]
    assert reasons["contract: 14 GB of weights"] == OUT_OF_MEMORY
    print(
        f"{len(refused)} of {len(cases)} refused in {took:.0f} s by {len(children)} children, "
        f"peak {peak / 2**20:.0f} MB"
    )
    assert all(
        reason.endswith(".") and " " in reason and str(tmp_path) not in reason for reason in refused
    ), refused
    assert not any("canary" in reason for reason in refused)
    assert len(children) <= 4, "one child compiles nearly all"
    assert peak < sandbox.ADDRESS_SPACE_BYTES
    assert set(shelf.rglob("*")) == before
    assert len(calls) == 1, "no model connected"
    assert {path.name for path in tmp_path.iterdir()} <= {"shelf", "first", "in", "out", "last"}


CHILD_START = """
import json, os, socket, sys
from inference.compiler import sandbox
channel = socket.socket(fileno=0)
channel.sendall(b'{"error": null}\\n')
socket.recv_fds(channel, 1, 1)
channel.recv(10**6)
"""


CARD_MISSING = """
open("model.tflite", "wb").write(b"x")
channel.sendall(b'{"error": null, "card": {}}\\n')
"""


CARD_WITHOUT_FILES = """
open("model.tflite", "wb").write(b"x")
parity = {"images": 1, "max_abs_difference": 0, "equal_argmax": True}
card = {"experiment": "", "files": {}, "parity": parity}
channel.sendall(json.dumps({"error": None, "card": card}).encode() + b"\\n")
"""

REPORT_ENVIRONMENT = """
import json, os, socket
reply = json.dumps({"error": " ".join(os.environ)})
socket.socket(fileno=0).sendall(reply.encode() + b"\\n")
"""


@pytest.mark.timeout(PATIENCE_SECONDS)
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("sandbox.limit_cpu(1)\nwhile True: pass", "CPU time"),
        ("import time\ntime.sleep(600)", SLOW),
        ("os.abort()", "crashed"),
        ("channel.sendall(b'[]\\n')", "crashed|invalid reply"),
        ("channel.sendall(b'x' * 10**8)", "invalid reply"),
        (
            "os.symlink('/etc/passwd', 'model.tflite')\nchannel.sendall(b'{\"error\": null}\\n')",
            "symbolic link|crashed",
        ),
        (
            CARD_MISSING,
            "lacks|crashed",
        ),
        (CARD_WITHOUT_FILES, "than its reply names|crashed"),
    ],
)
def test_compiler_replaces_a_compromised_child_without_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    (tmp_path / "child.py").write_text(CHILD_START + code)
    # On a busy machine a child may take long to use its second of CPU time, or to be started.
    seconds = 4 if reason == SLOW else PATIENCE_SECONDS / 4
    monkeypatch.setattr("inference.compiler.child_errors.WALL_SECONDS", seconds)
    monkeypatch.setattr(
        "inference.compiler.process.CHILD",
        ["-c", f"exec(open({str(tmp_path / 'child.py')!r}).read())"],
    )
    with Compiler() as compiler:
        for _ in range(2):
            with pytest.raises(CompilationError, match=reason):
                compiler.compile(GOOD, tmp_path / "out", {})
        children = compiler._child
    assert not (tmp_path / "out").exists()
    assert children is None or children.poll() is not None


def test_compiler_child_inherits_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("KERAS_BACKEND", "nonsense")
    monkeypatch.setattr("inference.compiler.process.CHILD", ["-c", REPORT_ENVIRONMENT])
    with Compiler() as compiler, pytest.raises(CompilationError) as caught:
        compiler.compile(GOOD, tmp_path / "out", {})
    assert set(str(caught.value).split()) <= {
        "PYTHONPATH",
        "HOME",
        "TMPDIR",
        "LC_CTYPE",
        "__CF_USER_TEXT_ENCODING",
    }
    assert os.environ["PGPASSWORD"] == "secret"


@pytest.mark.timeout(PATIENCE_SECONDS)
def test_compiler_replaces_a_child_that_died_between_jobs(tmp_path: Path) -> None:
    with Compiler() as compiler:
        compiler.compile(GOOD, tmp_path / "first", {})
        assert compiler._child is not None
        compiler._child.kill()
        compiler._child.wait()
        compiler.compile(GOOD, tmp_path / "second", {})
    assert (answers(tmp_path / "first") == answers(tmp_path / "second")).all()

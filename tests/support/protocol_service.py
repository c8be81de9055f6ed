"""A running service for the serving protocols, its models, and a plain HTTP client for it."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, Card
from inference.models.alias_sync import write_aliases
from inference.models.aliases import ALIASES_FILE
from inference.models.compile_queue import LOCK_FILE
from local import ports
from tests.conftest import SHIPPED
from tests.corpus.flatbuffers import changed

START_SECONDS = 60
TIMEOUT_SECONDS = 30
CHUNK_BYTES = 2**16
# Names in the model directory. SMALL has two versions, which are different networks.
SMALL, CNN, PARITY = (
    "mnist_experiment_1__softmax_regression",
    "mnist_experiment_28__deep_cnn_8_16_32_short",
    "parity_experiment_2__mlp_32",
)
SECOND_VERSION = "mnist_experiment_4__mlp_32"
FAILED, LOADING, NOT_FINITE = "failed", "loading", "not_finite"
SOURCES = {(SMALL, 1): SMALL, (SMALL, 2): SECOND_VERSION, (CNN, 1): CNN, (PARITY, 1): PARITY}
# Aliases: champion of the task mnist is CNN, and stable is the first version of SMALL.
ALIASES = (("mnist", "champion", CNN, 1), ("mnist", "stable", SMALL, 1))
# With an image of these white pixels, NOT_FINITE adds 400 times WEIGHT, which overflows.
OVERFLOW = np.random.default_rng(1).integers(0, 2, (28, 28), np.uint8) * np.uint8(255)
WEIGHT = 1e36

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Reply:
    """A response; the names of `headers` are in lower case, and `seconds` is its time."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def document(self) -> Any:
        """Its JSON; NaN and Infinity are errors."""
        return json.loads(self.body, parse_constant=_refuse_constant)

    def __str__(self) -> str:
        return f"{self.status} {dict(self.headers)} {self.body[:600]!r} in {self.seconds:.2f} s"


@dataclass(frozen=True)
class ProtocolService:
    """A service of one worker and its process."""

    port: int
    process: subprocess.Popen[bytes]

    def get(self, path: str, headers: Headers = ()) -> Reply:
        """Send a GET request."""
        return self.send("GET", path, headers=headers)

    def post(self, path: str, body: bytes | str = b"", headers: Headers = ()) -> Reply:
        """Send a POST request."""
        return self.send("POST", path, body, headers)

    def post_json(self, path: str, document: Any, headers: Headers = ()) -> Reply:
        """Send a document in JSON."""
        pairs = [("Content-Type", "application/json"), *_pairs(headers)]
        return self.send("POST", path, json.dumps(document), pairs)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | str = b"",
        headers: Headers = (),
        *,
        is_chunked: bool = False,
    ) -> Reply:
        """Send a request with no other headers than the given ones, Host and the length."""
        data = body.encode() if isinstance(body, str) else body
        pairs = _pairs(headers)
        names = {name.lower() for name, _ in pairs}
        if is_chunked:
            pairs.append(("Transfer-Encoding", "chunked"))
            data = _chunks(data)
        elif "content-length" not in names and (data or method == "POST"):
            pairs.append(("Content-Length", str(len(data))))
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        with contextlib.closing(connection):
            connection.connect()
            connection.putrequest(
                method, path, skip_host="host" in names, skip_accept_encoding=True
            )
            for name, value in pairs:
                connection.putheader(name, value.encode("latin-1"))
            with contextlib.suppress(ConnectionError):  # the service refuses before it has read all
                connection.endheaders()
                connection.send(data)
            response = connection.getresponse()
            content = response.read()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, received, content, time.monotonic() - started)

    @property
    def peak_bytes(self) -> int:
        """The largest resident memory of the process so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


@contextmanager
def run_service(folder: Path, **settings: str) -> Iterator[ProtocolService]:
    """Run a service with the models of this module and no database.

    LOADING waits for the lock on compilations, which is held meanwhile.
    """
    _write_models(folder / "models")
    (folder / "journal").mkdir(parents=True)
    columns = ("task", "alias", "experiment_name", "version")
    rows = [{**dict(zip(columns, alias, strict=True)), "event_id": 1} for alias in ALIASES]
    write_aliases(folder / "journal" / ALIASES_FILE, rows)
    (folder / "compiled").mkdir()
    port = ports.find_free()
    environment = {
        **os.environ,
        "API_PORT": str(port),
        "API_WORKERS": "1",
        "MODELS_DIR": str(folder / "models"),
        "COMPILED_DIR": str(folder / "compiled"),
        "JOURNAL_DIR": str(folder / "journal"),
        "IMAGES_URL": str(folder / "images"),
        "PGHOST": "127.0.0.1",
        "PGPORT": "9",
        **settings,
    }
    log = folder / "log"
    with (folder / "compiled" / LOCK_FILE).open("w") as lock, log.open("w") as output:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, "-m", "inference"]
        with subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
            service = ProtocolService(port, process)
            try:
                _wait_until_ready(service, log)
                yield service
            finally:
                process.terminate()


@functools.cache
def _interpreter(source: str) -> Any:
    return Interpreter(str(SHIPPED / source / LITERT_FILE))


def litert(source: str, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what LiteRT itself computes with a shipped model, float32 of shape (n, classes).

    `pixels` are of shape (n, 28, 28).
    """
    interpreter = _interpreter(source)
    scale = Card.read(SHIPPED / source / CARD_FILE).input.scale
    [given], [computed] = interpreter.get_input_details(), interpreter.get_output_details()
    shape = [len(pixels), *given["shape"][1:]]
    interpreter.resize_tensor_input(given["index"], shape)
    interpreter.allocate_tensors()
    values = pixels.astype(np.float32) * np.float32(scale)
    interpreter.set_tensor(given["index"], values.reshape(shape))
    interpreter.invoke()
    result: NDArray[np.float32] = interpreter.get_tensor(computed["index"])
    return result


def _write_models(models_dir: Path) -> None:
    for (name, version), source in SOURCES.items():
        shutil.copytree(SHIPPED / source, models_dir / name / str(version))
    (models_dir / FAILED).mkdir()
    (models_dir / FAILED / CARD_FILE).write_text("{")
    (models_dir / LOADING).mkdir()
    shutil.copy(SHIPPED / SMALL / KERAS_FILE, models_dir / LOADING)
    _write_not_finite(models_dir / NOT_FINITE)


def _write_not_finite(directory: Path) -> None:
    """Write a model whose logits overflow for the image OVERFLOW, but not for others."""
    shutil.copytree(SHIPPED / SMALL, directory)

    def change(model: Any) -> None:
        [weights] = [
            one for one in model.buffers if one.data is not None and len(one.data) == 31360
        ]
        table = np.where(OVERFLOW.reshape(1, 784), WEIGHT, -WEIGHT).repeat(10, axis=0)
        weights.data = list(table.astype(np.float32).tobytes())

    content = changed(change, (directory / LITERT_FILE).read_bytes())
    (directory / LITERT_FILE).write_bytes(content)
    card = json.loads((directory / CARD_FILE).read_text())
    record = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    card["files"] = {LITERT_FILE: record}
    (directory / CARD_FILE).write_text(json.dumps(card))
    (directory / KERAS_FILE).unlink()


def _wait_until_ready(service: ProtocolService, log: Path) -> None:
    """Wait until every model but LOADING is ready or has failed."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert service.process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        with contextlib.suppress(ConnectionError):
            models = service.get("/api/v1.0/models").document["models"]
            states = {model["name"]: model["state"] for model in models}
            if "LOADING" not in {state for name, state in states.items() if name != LOADING}:
                return
        time.sleep(0.05)


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return list(headers.items() if isinstance(headers, Mapping) else headers)


def _chunks(data: bytes) -> bytes:
    pieces = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
    return b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b"")])


def _refuse_constant(constant: str) -> float:
    raise AssertionError(f"the answer holds {constant}")

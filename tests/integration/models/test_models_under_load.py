"""Model changes under load: models are replaced, added, deleted and corrupted."""

import hashlib
import http.client
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, Card
from inference.models.publish import publish
from inference.preprocessing.digits import read_digit
from inference.runtime.network import Network
from local import ports
from tests.conftest import SHIPPED

pytestmark = pytest.mark.slow

REQUESTS = 10_000
CONNECTIONS = 16
CHANGES = 200
VISIBLE_SECONDS = 2.0
CHANGE_SECONDS, PAUSE_SECONDS = 0.08, 0.005
START_SECONDS = 60
KINDS = (
    "mnist_experiment_12__lenet5",
    "mnist_experiment_13__lenet5_slow",
    "mnist_experiment_15__lenet5_momentum_50",
)
VERSIONED, RENAMED, CORRUPTED = NAMES = ("versioned", "renamed", "corrupted")
BOUNDARY = "------------------------boundary"


@dataclass
class Timeline:
    """Periods in which contents of a model were valid.

    Each lasts from the start of the change that made it valid to the end of the next change.
    """

    entries: list[tuple[str, float, float]] = field(default_factory=list)

    def becomes(self, digest: str, began: float) -> None:
        """Record a completed change that started at `began`."""
        if self.entries:
            last, since, _ = self.entries[-1]
            self.entries[-1] = (last, since, time.monotonic())
        self.entries.append((digest, began, float("inf")))

    def was_valid(self, digest: str, sent: float, received: float) -> bool:
        """Return whether a request between two times may have used a content.

        A change may become visible a little later.
        """
        return any(
            each == digest and since <= received and until + VISIBLE_SECONDS >= sent
            for each, since, until in self.entries
        )


class Contents:
    """An endless supply of contents with different digests.

    They are made from three kinds of LeNet-5 with different outputs.
    """

    def __init__(self, folder: Path, png: bytes) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        pixels = read_digit(png)[np.newaxis]
        networks = [Network((SHIPPED / kind / LITERT_FILE).read_bytes(), 10) for kind in KINDS]
        self._confidences = [float(network.probabilities(pixels).max()) for network in networks]
        self.confidence_of: dict[str, float] = {}

    def make(self) -> tuple[Path, str]:
        """Return the directory of new content and its digest."""
        number = next(self._numbers)
        directory = self._folder / str(number)
        shutil.copytree(SHIPPED / KINDS[number % len(KINDS)], directory)
        with (directory / KERAS_FILE).open("ab") as file:
            file.write(b"%d" % number)  # confirmed files are not parsed
        content = (directory / KERAS_FILE).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        document = json.loads((directory / CARD_FILE).read_text())
        document["files"][KERAS_FILE] = {"sha256": digest, "bytes": len(content)}
        (directory / CARD_FILE).write_text(json.dumps(document))
        self.confidence_of[digest] = self._confidences[number % len(KINDS)]
        return directory, digest


class Changer:
    """Changes the model directory, and keeps a timeline of each permanent model."""

    def __init__(self, models_dir: Path, contents: Contents) -> None:
        self._models_dir = models_dir
        self._contents = contents
        self.timelines = {name: Timeline() for name in NAMES}

    def change(self, number: int) -> None:
        """Make one of the changes."""
        changes = (
            self.publish_version,
            self.replace,
            self.delete_old_version,
            self.corrupt,
            self.replace,
            self.mend,
            self.add_and_delete,
        )
        changes[number % len(changes)](number)

    def publish_version(self, _: int) -> None:
        source, digest = self._contents.make()
        began = time.monotonic()
        publish(source, VERSIONED, None, self._models_dir)
        self.timelines[VERSIONED].becomes(digest, began)

    def replace(self, _: int, name: str = RENAMED) -> None:
        source, digest = self._contents.make()
        began = time.monotonic()
        target, outgoing = self._models_dir / name, self._models_dir / ".outgoing"
        if target.exists():
            target.rename(outgoing)
        source.rename(target)
        self.timelines[name].becomes(digest, began)
        shutil.rmtree(outgoing, ignore_errors=True)

    def delete_old_version(self, _: int) -> None:
        versions = sorted(
            int(path.name)
            for path in (self._models_dir / VERSIONED).iterdir()
            if path.name.isdigit()
        )
        if len(versions) > 3:
            shutil.rmtree(self._models_dir / VERSIONED / str(versions[0]))

    def corrupt(self, number: int) -> None:
        file = (KERAS_FILE, LITERT_FILE, CARD_FILE)[number % 3]
        target = self._models_dir / CORRUPTED / file
        target.write_bytes(b"nonsense" * number)

    def mend(self, number: int) -> None:
        self.replace(number, CORRUPTED)

    def add_and_delete(self, number: int) -> None:
        source, _ = self._contents.make()
        source.rename(self._models_dir / f"added_{number}")
        for path in self._models_dir.glob("added_*"):
            if path.name != f"added_{number}":
                shutil.rmtree(path)


@dataclass(frozen=True)
class Answer:
    """A request and its response, with times (monotonic, s)."""

    name: str
    sent: float
    received: float
    status: int
    document: dict[str, object]


class Load:
    """CONNECTIONS threads that send requests until all changes are done.

    They send at least REQUESTS requests.
    """

    def __init__(self, port: int, png: bytes) -> None:
        self._port = port
        disposition = 'form-data; name="image_blob"; filename="a.png"'
        head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
        self._body = head + png + f"\r\n--{BOUNDARY}--\r\n".encode()
        self._numbers = itertools.count()
        self._is_enough = threading.Event()
        self.answers: list[Answer] = []
        self._threads = [
            threading.Thread(target=self._ask, args=[seed]) for seed in range(CONNECTIONS)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all requests are answered."""
        self._is_enough.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, seed: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        while (number := next(self._numbers)) < REQUESTS or not self._is_enough.is_set():
            time.sleep(PAUSE_SECONDS)  # the load must outlast the changes
            name = NAMES[(number + seed) % len(NAMES)]
            sent = time.monotonic()
            connection.request(
                "POST", f"/api/v1.0/inference?experiment_name={name}", self._body, headers
            )
            response = connection.getresponse()
            text = response.read()
            self.answers.append(
                Answer(name, sent, time.monotonic(), response.status, json.loads(text))
            )
        connection.close()


@pytest.fixture
def contents(tmp_path: Path, digits: dict[str, bytes]) -> Contents:
    return Contents(tmp_path / "contents", digits["4"])


@pytest.fixture
def changer(tmp_path: Path, contents: Contents) -> Changer:
    """A model directory with initial content for each model."""
    (tmp_path / "models").mkdir()
    changer = Changer(tmp_path / "models", contents)
    changer.publish_version(0)
    changer.replace(0)
    changer.mend(0)
    return changer


@pytest.fixture
def port(tmp_path: Path, changer: Changer) -> Iterator[int]:
    """The port of a separate service for the model directory."""
    free = ports.find_free()
    environment = {
        **os.environ,
        "API_PORT": str(free),
        "MODELS_DIR": str(changer._models_dir),
        "COMPILED_DIR": str(tmp_path / "compiled"),
        "JOURNAL_DIR": str(tmp_path / "journal"),
        "PGHOST": str(tmp_path),  # no Postgres here
    }
    with (tmp_path / "log").open("w") as log:
        service = subprocess.Popen([sys.executable, "-m", "inference"], env=environment, stderr=log)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _is_ready(free):
                assert service.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, "the service did not start"
                time.sleep(0.1)
            yield free
        finally:
            service.terminate()
            service.wait()


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api/v1.0/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.mark.timeout(300)
def test_model_changes_under_load_fail_no_request(
    changer: Changer, contents: Contents, port: int, digits: dict[str, bytes]
) -> None:
    load = Load(port, digits["4"])
    load.start()
    for number in range(CHANGES):
        changer.change(number)
        time.sleep(CHANGE_SECONDS)
    load.join()

    assert len(load.answers) >= REQUESTS
    assert [answer for answer in load.answers if answer.status != 200] == []
    stale = [
        answer
        for answer in load.answers
        if not changer.timelines[answer.name].was_valid(
            str(answer.document["model_digest"]), answer.sent, answer.received
        )
    ]
    assert stale == []
    confidences = [
        contents.confidence_of[str(answer.document["model_digest"])] for answer in load.answers
    ]
    assert [answer.document["confidence"] for answer in load.answers] == pytest.approx(
        confidences, abs=1e-5
    )
    digests = {answer.document["model_digest"] for answer in load.answers}
    assert len(digests) > CHANGES // 4, "the load must see the changes"
    card = Card.read(changer._models_dir / RENAMED / CARD_FILE)
    assert changer.timelines[RENAMED].entries[-1][0] == card.files[KERAS_FILE].sha256

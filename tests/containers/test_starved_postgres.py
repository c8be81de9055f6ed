"""Postgres with 5 % of a core: a batch of the log exceeds its statement timeout, and is halved."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bench.fixtures.http_requests import CONTENT_TYPE, predictions_request
from bench.fixtures.images import pngs
from tests.containers.conftest import DOCKER, LONG_PAUSE_SECONDS, ROOT, Compose, wait_until

STARVED_CORES, CORES = "0.05", "2"
# A record has 2.0 MB and 10,730 predictions. A batch has three records, because it ends with the
# one that exceeds 4 MB. They take Postgres over 2 s of CPU, and with 5 % of a core more than the
# statement timeout of 30 s.
CALLS, IMAGES = 7, 370
SHRINKS = 2
# A batch is canceled first, and the monitor reads new rows meanwhile.
SHRINK_SECONDS = 150
# An error of Postgres, and its statement in one of the next lines of the log
CANCELED = re.compile(
    "canceling statement due to statement timeout.*?INSERT INTO predictions ", re.DOTALL
)
# In the file of cgroups version 2 or 1
THROTTLED = "grep -hs nr_throttled /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu/cpu.stat"
STORED = """
SELECT request_id, count(*), count(DISTINCT prediction_id) FROM prediction_events GROUP BY 1
"""


@pytest.fixture
def stack(project: Path) -> Iterator[Compose]:
    stack = Compose(project, INFERENCE_TARGET="slim", API_WORKERS="1")
    try:
        stack.run("up", "-d", "--build", "--wait")
        yield stack
    finally:
        stack.tear_down()


def waiting_bytes(stack: Compose) -> int:
    """Return the size of the records that are not in Postgres yet."""
    answer = requests.get(f"{stack.api_url}/readyz", timeout=30).json()
    return int(answer["dependencies"]["log"]["waiting_bytes"])


def limit_postgres(stack: Compose, cores: str) -> None:
    container = stack.inspect("db")["Id"]
    subprocess.run([DOCKER, "update", "--cpus", cores, container], check=True, capture_output=True)


def predict(stack: Compose) -> dict[str, int]:
    """Return the number of predictions by request id, after they were answered."""
    images, answered = pngs(CALLS * IMAGES), {}
    models = requests.get(f"{stack.api_url}/models", timeout=30).json()["models"]
    ready = {model["name"] for model in models if model["state"] == "READY"}
    # Other tests add models and versions to the project's copy.
    names = sorted(ready & {folder.name for folder in (ROOT / "models").iterdir()})
    for number in range(CALLS):
        path, body = predictions_request(images[number * IMAGES :][:IMAGES], names)
        url = stack.api_url.removesuffix("/api/v1.0") + path
        answer = requests.post(url, body, headers={"Content-Type": CONTENT_TYPE}, timeout=60)
        assert answer.status_code == 200, answer.text[:300]
        answered[answer.headers["X-Request-ID"]] = IMAGES * len(names)
    return answered


def test_starved_postgres_still_shrinks_the_journal(stack: Compose) -> None:
    stack.run("pause", "db")
    answered = predict(stack)
    seen = [waiting_bytes(stack)]
    limit_postgres(stack, STARVED_CORES)
    stack.run("unpause", "db")
    while len(seen) <= SHRINKS:
        wait_until(lambda: waiting_bytes(stack) < seen[-1], SHRINK_SECONDS, LONG_PAUSE_SECONDS)
        seen.append(waiting_bytes(stack))
    assert seen[-1] > 0  # Postgres is still starved
    assert CANCELED.search(stack.run("logs", "--no-log-prefix", "db"))
    limit_postgres(stack, CORES)
    wait_until(lambda: waiting_bytes(stack) == 0, SHRINK_SECONDS)
    throttled = stack.call("exec", "-T", "db", *THROTTLED.split()).stdout
    assert int(throttled.split()[-1]) > 100, seen
    rows = {str(request): counts for request, *counts in stack.rows(STORED)}
    assert rows == {request: [count, count] for request, count in answered.items()}

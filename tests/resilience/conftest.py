"""Fixtures of the resilience tests: one Postgres and one service, restored before each test."""

import resource
import shutil
from collections.abc import Iterator

import pytest

from local import ports
from tests.conftest import SHIPPED
from tests.integration.prediction_log.test_prediction_log import noise
from tests.resilience.stack import MODELS, FaultyStack
from tests.support.load import Question, make_questions

IMAGES = 500
DESCRIPTORS = 16_000


@pytest.fixture(scope="session", autouse=True)
def many_descriptors() -> None:
    """Allow this process and its children thousands of connections."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = DESCRIPTORS if limit == resource.RLIM_INFINITY else min(DESCRIPTORS, limit)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, limit))


@pytest.fixture(scope="session")
def session_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStack]:
    """The stack of all tests, with two workers."""
    folder = tmp_path_factory.mktemp("faults")
    for name in MODELS:
        shutil.copytree(SHIPPED / name, folder / "models" / name)
    monitor_port = str(ports.find_free())
    settings = {"MONITOR": "1", "MONITOR_METRICS_PORT": monitor_port, "TRACKING": "1"}
    stack = FaultyStack(folder, folder / "models", **settings)
    try:
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def stack(session_stack: FaultyStack) -> FaultyStack:
    """The stack, with every service running."""
    session_stack.restore()
    return session_stack


@pytest.fixture(scope="session")
def questions() -> list[Question]:
    """Questions for different images."""
    return make_questions(MODELS, [noise(number) for number in range(IMAGES)])

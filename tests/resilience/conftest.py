"""A Postgres and a service with two workers for all tests of faults; each finds it whole."""

import resource
import shutil
from collections.abc import Iterator

import pytest

from tests.conftest import SHIPPED
from tests.integration.prediction_log.test_prediction_log import noise
from tests.resilience.stack import MODELS, Faulty
from tests.support.load import Question, questions

IMAGES = 500
DESCRIPTORS = 16_000


@pytest.fixture(scope="session", autouse=True)
def many_descriptors() -> None:
    """Let this process, and those that it starts, open thousands of connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if most == resource.RLIM_INFINITY else min(DESCRIPTORS, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


@pytest.fixture(scope="session")
def the_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """The stack of all tests."""
    folder = tmp_path_factory.mktemp("faults")
    for name in MODELS:
        shutil.copytree(SHIPPED / name, folder / "models" / name)
    stack = Faulty(folder, folder / "models")
    try:
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def stack(the_stack: Faulty) -> Faulty:
    """The stack, whole."""
    the_stack.revive()
    return the_stack


@pytest.fixture(scope="session")
def asked() -> list[Question]:
    """Questions for images that differ."""
    return questions(MODELS, [noise(number) for number in range(IMAGES)])

"""Predictions over kept-alive connections while replicas come and go, and their rows."""

from collections import Counter
from collections.abc import Callable, Sequence

from tests.containers.conftest import wait_until
from tests.support.images import drawn, encoded
from tests.support.load import Answer, Load, make_questions, statuses

EXPERIMENT = "mnist_experiment_12__lenet5"
CONNECTIONS, PER_SECOND = 6, 40
SHIPPED_SECONDS = 30

Query = Callable[[str], list[tuple[object, ...]]]


def predictions(port: int, key: str = "") -> Load:
    """Return a steady load of predictions for different images at a port of this machine."""
    images = [encoded(drawn(str(number % 10), ink=255 - number)) for number in range(50)]
    header = f"X-API-Key: {key}\r\n".encode() if key else b""
    questions = [
        question._replace(rest=header + question.rest)
        for question in make_questions([EXPERIMENT], images)
    ]
    return Load(port, questions, CONNECTIONS, PER_SECOND)


def assert_stored_once(query: Query, answers: Sequence[Answer]) -> None:
    """Wait until SQL has a row for each prediction that was answered, and check that it has one."""
    answered = {answer.request_id for answer in answers if answer.status == 200}
    assert answered

    def rows() -> Counter[object]:
        return Counter(row[0] for row in query("SELECT request_id FROM prediction_events"))

    wait_until(lambda: answered <= rows().keys(), SHIPPED_SECONDS)
    stored = rows()
    assert [name for name in answered if stored[name] > 1] == []


def assert_all_answered(answers: Sequence[Answer]) -> None:
    """Check that each request was answered with a prediction."""
    assert statuses(answers) == {200: len(answers)}, [
        answer for answer in answers if answer.status != 200
    ][:5]

"""Model faults under load: models are replaced, deleted, corrupted, half copied, and hostile."""

import time
import zipfile
from pathlib import Path

import pytest

from inference.model_format.card import KERAS_FILE, LITERT_FILE
from inference.preprocessing.digits import read_digit
from local import ports
from tests.integration.models.test_models_under_load import NAMES, RENAMED, Changer, Contents
from tests.integration.prediction_log.test_prediction_log import eventually, noise
from tests.resilience.stack import (
    START_SECONDS,
    FaultyStack,
    milliseconds,
    print_figure,
)
from tests.support.load import Load, make_questions
from tests.support.repetitions import short_or_full
from tests.support.truth import Truth

pytestmark = pytest.mark.slow

CHANGES = short_or_full(60, 1000)
CHANGE_SECONDS = 0.05
VISIBLE_SECONDS = 5
CONNECTIONS, PER_SECOND, IMAGES = 8, 400, 50


class Hostile(Changer):
    """Changes of every kind; some leave files that the service must reject."""

    def change(self, number: int) -> None:
        """Make one change."""
        if number % 4 == 1:
            self.half_copy(number)
        elif number % 4 == 3:
            self.hostile(number)
        else:
            super().change(number // 2)

    def half_copy(self, number: int) -> None:
        """Copy a model file by file in two steps; every other time only half of it."""
        source, _ = self._contents.make()
        target = self._models_dir / f"half_{number % 3}"
        target.mkdir(exist_ok=True)
        for name in (LITERT_FILE, KERAS_FILE):
            content = (source / name).read_bytes()
            with (target / name).open("wb") as file:
                file.write(content[: len(content) // 2])
                file.flush()
                if number % 8 == 1:
                    file.write(content[len(content) // 2 :])

    def hostile(self, number: int) -> None:
        """Write an invalid .keras file: random bytes, or a zip with a hostile configuration."""
        path = self._models_dir / f"hostile_{number % 5}.keras"
        if number % 8 == 3:
            path.write_bytes(b"\x89HDF\r\n" + bytes(range(256)) * 20)
        else:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("config.json", '{"class_name": "Lambda"}' + " " * 2**20)


@pytest.mark.timeout(1800)
def test_changing_models_answer_as_the_digest_they_name(
    tmp_path: Path, digits: dict[str, bytes]
) -> None:
    contents = Contents(tmp_path / "contents", digits["4"])
    (tmp_path / "models").mkdir()
    changer = Hostile(tmp_path / "models", contents)
    changer.publish_version(0)
    changer.replace(0)
    changer.mend(0)
    images = [noise(number) for number in range(IMAGES)]
    truth = Truth(contents, [read_digit(image) for image in images])
    stack = FaultyStack(
        tmp_path, tmp_path / "models", PGPORT=str(ports.find_free())
    )  # no Postgres is running
    visible_seconds: list[float] = []
    try:
        stack.start_service()
        eventually(lambda: len(stack.listeners()) == 2, START_SECONDS)
        with Load(stack.port, make_questions(NAMES, images), CONNECTIONS, PER_SECOND) as load:
            for number in range(CHANGES):
                changer.change(number)
                time.sleep(CHANGE_SECONDS)
                if number % 20 == 19:
                    started = time.monotonic()
                    changer.replace(number)
                    newest = changer.timelines[RENAMED].entries[-1][0]
                    for _ in range(4):  # of both workers, most likely
                        # The lambda is called at once.
                        eventually(lambda: digest_of(stack) == newest, 30)  # noqa: B023
                    visible_seconds.append(time.monotonic() - started)
    finally:
        stack.stop()
    failed = [answer for answer in load.answers if answer.status != 200]
    wrong = [
        answer for answer in load.answers if answer.status == 200 and not truth.is_right(answer)
    ]
    stale = [
        answer
        for answer in load.answers
        if answer.status == 200
        and not any(
            digest == truth.digest(answer)
            and since <= answer.received
            and until + VISIBLE_SECONDS >= answer.sent
            for digest, since, until in changer.timelines[answer.question.model].entries
        )
    ]
    print_figure(
        f"{CHANGES} changes of models",
        f"{len(load.answers)} answers of {len(set(map(truth.digest, load.answers)))} digests, "
        f"{len(failed)} failed, {len(wrong)} wrong, {len(stale)} stale, a change visible after at "
        f"most {max(visible_seconds):.1f} s, "
        f"slowest answer {milliseconds(max(answer.seconds for answer in load.answers))}",
    )
    assert failed == []
    assert wrong == []
    assert stale == []
    assert max(visible_seconds) <= VISIBLE_SECONDS


def digest_of(stack: FaultyStack) -> str:
    """Return the digest of the model that answers, of one of the workers."""
    return str(stack.infer(noise(0), RENAMED).json()["model_digest"])

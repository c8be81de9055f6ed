"""No acknowledged prediction is lost when another program removes or changes journal files.

Postgres is down meanwhile, so that the journal alone has the predictions.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from inference.prediction_log.segments import list_segments
from tests.integration.prediction_log.test_prediction_log import Stack, eventually, noise

BEFORE, AFTER = 80, 30  # predictions of 2 KB. A segment has 100 KB
NOTICE_SECONDS = 1.0


def remove_files(journal: Path) -> None:
    for segment in list_segments(journal):
        segment.path.unlink()


def move_files(journal: Path) -> None:
    (journal.parent / "elsewhere").mkdir()
    for segment in list_segments(journal):
        segment.path.rename(journal.parent / "elsewhere" / segment.name)


def remove_directory(journal: Path) -> None:
    shutil.rmtree(journal)


def move_directory(journal: Path) -> None:
    journal.rename(journal.parent / "elsewhere")


def move_directory_and_back(journal: Path) -> None:
    journal.rename(journal.parent / "elsewhere")
    time.sleep(NOTICE_SECONDS)
    (journal.parent / "elsewhere").rename(journal / "elsewhere")  # as `mv` does


def replace_directory(journal: Path) -> None:
    move_directory(journal)
    journal.mkdir()


def replace_files(journal: Path) -> None:
    for segment in list_segments(journal):
        segment.path.unlink()
        segment.path.write_bytes(b"other\n")


def extend_files(journal: Path) -> None:
    for segment in list_segments(journal):
        with segment.path.open("ab") as file:
            file.write(b"a line\nand a part of one")


@pytest.fixture
def stack(tmp_path: Path, models_dir: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path, models_dir, JOURNAL_BYTES="800000", API_WORKERS="1", IMAGES_STORE="0")
    stack.start_database()
    stack.start_service()
    try:
        yield stack
    finally:
        stack.stop()


@pytest.mark.parametrize(
    "fault",
    [
        remove_files,
        *(
            pytest.param(fault, marks=pytest.mark.slow)
            for fault in (
                move_files,
                remove_directory,
                move_directory,
                move_directory_and_back,
                replace_directory,
                replace_files,
                extend_files,
            )
        ),
    ],
)
def test_predictions_outlive_the_files_of_the_journal(
    stack: Stack, fault: Callable[[Path], None]
) -> None:
    stack.until_shipped()
    stack.postgres.stop(timeout_seconds=5)
    ids = [predict(stack, number) for number in range(BEFORE)]
    fault(stack.journal)
    ids += [predict(stack, number) for number in range(BEFORE, BEFORE + AFTER)]
    time.sleep(NOTICE_SECONDS)
    assert len(list_segments(stack.journal)) >= 1
    ids += [predict(stack, number) for number in range(BEFORE)]
    stack.postgres.open()
    eventually(lambda: stack.rows("SELECT 1 FROM prediction_events HAVING count(*) >= 190"), 20)
    stored = [row[0] for row in stack.rows("SELECT prediction_id::text FROM prediction_events")]
    assert sorted(stored) == sorted(ids)


def predict(stack: Stack, number: int) -> str:
    response = stack.infer(noise(number))
    response.raise_for_status()
    return str(response.json()["prediction_id"])


@pytest.mark.slow
def test_truncated_file_is_noticed_and_counted(stack: Stack) -> None:
    stack.until_shipped()
    stack.postgres.stop(timeout_seconds=5)
    for number in range(AFTER):
        predict(stack, number)
    for segment in list_segments(stack.journal):
        with segment.path.open("r+b") as file:
            file.truncate(segment.size // 2)
    after = [predict(stack, number) for number in range(BEFORE, BEFORE + AFTER)]
    time.sleep(NOTICE_SECONDS)
    stack.postgres.open()
    stack.until_shipped()
    stored = {row[0] for row in stack.rows("SELECT prediction_id::text FROM prediction_events")}
    assert set(after) <= stored
    metrics = requests.get(stack.url("metrics"), timeout=5).text.splitlines()
    [line] = [line for line in metrics if line.startswith("mlops_journal_lost_total ")]
    lost = float(line.split()[1])
    assert lost == 2 * AFTER - len(stored) > 0

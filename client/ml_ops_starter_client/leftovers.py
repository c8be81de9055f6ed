"""Leftovers: spool files of earlier processes, sent by the next start() or by `send`."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ml_ops_starter_client.api import Api
from ml_ops_starter_client.backlog import MAX_BATCH_POINTS
from ml_ops_starter_client.delivery import AwayError, Delivery, RunRefusedError
from ml_ops_starter_client.records import NumberedRecord, first_batch
from ml_ops_starter_client.spool import FileInUseError, SpoolFile, find_files

REFUSED_SUFFIX = ".refused"

logger = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one spool file. `problem` is None if all its records were sent."""

    path: Path
    name: str
    records: int
    problem: str | None = None


def send_files(directory: Path, key: str | None, url: str | None = None) -> Iterator[Outcome]:
    """Send the spool files of a folder and remove them. With `url`, only those of that service.

    Files that another process writes or sends are left out. A file whose run the service refuses is
    kept under another name.
    """
    for path in find_files(directory):
        try:
            file = SpoolFile(path)
        except FileInUseError:
            continue
        except (OSError, ValueError) as error:
            yield Outcome(path, path.name, 0, str(error))
            continue
        try:
            if url in (None, file.header.url):
                yield _send_file(file, key)
        finally:
            file.close()


def _send_file(file: SpoolFile, key: str | None) -> Outcome:
    delivery = Delivery(Api(file.header.url, key), file.header.new_run)
    count, offset = 0, file.start
    try:
        delivery.create()
        while True:
            ends: dict[int, int] = {}
            batch = first_batch(_read(file, offset, ends), MAX_BATCH_POINTS)
            if batch is None:
                break
            delivery.send(batch.record)
            offset = ends[batch.last]
            count += batch.weight
        file.remove()
    except RunRefusedError as error:
        file.path.rename(file.path.with_suffix(REFUSED_SUFFIX))
        return Outcome(file.path, delivery.name, count, f"The service refused the run. {error}")
    except (AwayError, OSError) as error:
        return Outcome(file.path, delivery.name, count, str(error))
    finally:
        delivery.api.close()
    return Outcome(file.path, delivery.name, count)


def _read(file: SpoolFile, offset: int, ends: dict[int, int]) -> Iterator[NumberedRecord]:
    """Yield the records from an offset, and note where each of them ends."""
    for record, end in file.records(offset):
        ends[record.number] = end
        yield record


def send_in_background(directory: Path, key: str | None, url: str) -> None:
    """Send the files of one service in a thread, with one line of log per file."""

    def send() -> None:
        with _one_at_a_time:
            for outcome in send_files(directory, key, url):
                if outcome.problem is None:
                    logger.warning("Run %s: %d kept records sent.", outcome.name, outcome.records)
                else:
                    logger.warning("%s is not sent. %s", outcome.path, outcome.problem)

    if find_files(directory):
        threading.Thread(target=send, name="ml_ops_starter_client leftovers", daemon=True).start()

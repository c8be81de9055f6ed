"""Shipping: bytes of the journal and of Postgres, and the CPU time from one to the other."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2

from bench.fixtures.http_requests import predictions_request
from bench.harness import database
from bench.prediction_log.requests import record, single_requests
from bench.reporting.sampling import print_progress
from inference.prediction_log.backlog import pending_bytes
from inference.prediction_log.shipped_offsets import ShippedOffsets
from inference.prediction_log.shipper import Shipper
from inference.settings import from_environment

NEW_IMAGES = 10_000  # of a round
# One image is rarely twice in a batch, or often.
MANY_IMAGES, FEW_IMAGES, REPEATS = NEW_IMAGES, 1_000, 2
CALLS, IMAGES_PER_CALL = 2, 500
ORIGINALS = 2_000
IMAGES_PER_ROUND = NEW_IMAGES + CALLS * IMAGES_PER_CALL + ORIGINALS
# Bytes with indexes. Images have their pixels in a table of their own.
SIZES = """
SELECT pg_total_relation_size(%(table)s)
       + coalesce((SELECT sum(pg_total_relation_size(relid))
                   FROM pg_partition_tree(%(table)s)), 0)::bigint,
       (SELECT count(*) FROM {table})
"""
TABLES = ("predictions", "prediction_events", "images", "image_pixels")


class NotShippedError(Exception):
    """Records of the journal are not in Postgres. The message says how many bytes."""


@dataclass(frozen=True)
class Cost:
    """Cost of one prediction: bytes in the journal, and CPU seconds of Postgres and the shipper."""

    journal_bytes: float
    postgres_seconds: float
    shipper_seconds: float


@dataclass(frozen=True)
class Round:
    """Costs of a prediction by the kind of request, and the journal's bytes with an original."""

    new: Cost
    one_of_many: Cost
    one_of_few: Cost
    in_call: Cost
    with_original_bytes: float


def measure_round(images: Sequence[bytes]) -> Round:
    """Measure with IMAGES_PER_ROUND new images. Raises RequestError and NotShippedError."""
    source = iter(images)
    new, originals = _take(source, NEW_IMAGES), _take(source, ORIGINALS)
    calls = [predictions_request(_take(source, IMAGES_PER_CALL), ["all"]) for _ in range(CALLS)]
    print_progress("  new images")
    new_cost = _measure(*record(single_requests(new)))
    print_progress("  repeated images")
    repeated = single_requests(new) * REPEATS
    few = single_requests(new[:FEW_IMAGES]) * (len(repeated) // FEW_IMAGES)
    one_of_many, one_of_few = _measure(*record(repeated)), _measure(*record(few))
    print_progress("  calls with all models")
    in_call = _measure(*record(calls))
    print_progress("  images with their originals")
    _, with_originals = record(single_requests(originals), with_originals=True)
    return Round(new_cost, one_of_many, one_of_few, in_call, with_originals / ORIGINALS)


def table_bytes() -> dict[str, float]:
    """Return the bytes of a row with its share of the indexes, by table."""
    result = {}
    with closing(psycopg2.connect("")) as connection, connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(SIZES.format(table=table), {"table": table})
            size, rows = cursor.fetchall()[0]
            result[table] = size / rows
    return result


def _measure(journal: Path, journal_bytes: int) -> Cost:
    """Ship a journal in this process, in batches as large as those of a busy service."""
    before = _count_events()
    settings = replace(from_environment(os.environ), journal_dir=journal, stores_images=False)
    shipper = Shipper(settings, ShippedOffsets(journal))
    postgres, started = database.cpu_seconds(), time.process_time()
    shipper.ship()
    shipped = time.process_time() - started
    postgres = database.cpu_seconds() - postgres
    shipper.disconnect()  # after its process was measured
    if rest := pending_bytes(journal):
        raise NotShippedError(f"{rest} bytes of the journal are not in Postgres.")
    events = _count_events() - before
    return Cost(journal_bytes / events, postgres / events, shipped / events)


def _count_events() -> int:
    with closing(psycopg2.connect("")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM prediction_events")
        count: int = cursor.fetchall()[0][0]
        return count


def _take(source: Iterator[bytes], count: int) -> list[bytes]:
    return [next(source) for _ in range(count)]

"""Much data: a CSV of many experiments, and what many requests leave in the database, written by SQL in a few minutes.

Predictions and events come in the order of time, as they do from a service. Some images are hard: there the versions disagree.
"""

import csv
import json
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg2
import psycopg2.extensions

from bench.effort import say

EXPERIMENTS, POINTS = 10_000, 1_000
RATES = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5)
MOMENTA = (0.0, 0.5, 0.9, 0.99)
SEED = 0


@dataclass(frozen=True)
class Size:
    """How much there is. Every version predicts every image, and `events` is a multiple of these predictions."""

    versions: int = 20
    images: int = 50_000
    events: int = 5_000_000
    labels: int = 20_000
    days: int = 60

    @property
    def predictions(self) -> int:
        """How many predictions there are."""
        return self.versions * self.images


def experiment_name(number: int) -> str:
    """Return the name of an experiment, from 1 on."""
    return f"mnist_experiment_{number}"


def write_csv(file: Path) -> None:
    """Write EXPERIMENTS with loss curves of POINTS."""
    chance = np.random.default_rng(SEED)
    steps = np.arange(1, POINTS + 1) * 9
    text = json.dumps(steps.tolist())
    with file.open("w", newline="") as output:
        writer = csv.writer(output)
        writer.writerow(["Experiment Name", "Learning Rate", "Momentum", "Loss", "Architecture", "Test Accuracy"])
        for number in range(1, EXPERIMENTS + 1):
            losses = 2.3 * np.exp(-steps / chance.uniform(500, 3000)) + chance.uniform(0, 0.1, POINTS)
            writer.writerow(
                [
                    experiment_name(number), RATES[number % len(RATES)], MOMENTA[number % len(MOMENTA)],
                    f'{{"Step": {text}, "Value": {json.dumps(losses.round(6).tolist())}}}',
                    f"mlp_{number % 7}", round(float(chance.uniform(0.8, 0.999)), 4),
                ]
            )  # fmt: skip


def fill(size: Size) -> None:
    """Write versions, images, predictions, events, labels and summaries into the database that libpq's environment names."""
    with closing(psycopg2.connect("")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET max_wal_size = '8GB'")  # else it would write everything twice
            cursor.execute("SELECT pg_reload_conf()")
            # What comes is consistent in itself: no trigger and no foreign key has to look at each row.
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("SET synchronous_commit = off; SET work_mem = '512MB'; SET maintenance_work_mem = '512MB'")
            cursor.execute("SET statement_timeout = 0; SELECT setseed(0.5)")
            indexes = _drop_indexes(cursor)
            for name, statement in _statements(size).items():
                _run(cursor, name, statement)
            for statement in indexes:
                _run(cursor, statement.partition(" USING ")[0], statement)
            _run(cursor, "vacuum", "VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")
            cursor.execute("ALTER SYSTEM RESET max_wal_size")
            cursor.execute("SELECT pg_reload_conf()")


def _run(cursor: psycopg2.extensions.cursor, name: str, statement: str) -> None:
    started = time.perf_counter()
    cursor.execute(statement)
    say(f"  {name}: {time.perf_counter() - started:.1f} s")


def _drop_indexes(cursor: psycopg2.extensions.cursor) -> list[str]:
    """Drop the indexes of the large tables that are no keys, which are made more quickly afterwards; return how to make them."""
    cursor.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " WHERE i.indrelid IN ('predictions'::regclass, 'prediction_events'::regclass)"
        " AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)"
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f"DROP INDEX {name}")
    # The index of a partitioned table is said to be ON ONLY it: made so, its partitions would get none.
    return [definition.replace(" ON ONLY ", " ON ") for _, definition in found]


def _statements(size: Size) -> dict[str, str]:
    """Return what is to be run, in its order, by what it writes.

    Prediction p is that of image p / versions by version p % versions, and its first event is the event p * repeats.
    """
    begin = f"(date_trunc('second', now()) - interval '{size.days} days')"
    step = f"(interval '{size.days} days' / {size.events})"
    repeats = size.events // size.predictions
    prediction = "md5('prediction ' || {})::uuid"
    version = "md5('version ' || {})::uuid"
    half = size.versions // 2
    return {
        "clock": f"CREATE TEMP TABLE clock AS SELECT {begin} AS begins_at",
        "partitions": f"""
            SELECT make_events_partition(month) FROM clock,
            generate_series(date_trunc('month', begins_at), begins_at + interval '{size.days} days', '1 month') AS month""",
        "model_versions": f"""
            INSERT INTO model_versions (id, experiment_name, version, digest, format, task, classes, input, output, bytes, status,
                                        test_accuracy, first_seen_at, status_since)
            SELECT {version.format("v")}, '{experiment_name(1)[:-1]}' || v % {half} + 1, v / {half} + 1,
                   encode(sha256(convert_to('version ' || v, 'UTF8')), 'hex'), 'litert', 'mnist', '{{0,1,2,3,4,5,6,7,8,9}}',
                   '{{"height": 28, "width": 28, "scale": 1, "invert": false}}', 'logits', 200000, 'READY', 0.98,
                   begins_at, begins_at
            FROM clock, generate_series(0, {size.versions - 1}) AS v""",
        # An image in twelve is hard.
        "digits": f"""
            CREATE TEMP TABLE digits AS
            SELECT n, left(digest, 32)::uuid AS id, digest, (n % 10)::text AS truth, n % 12 = 0 AS is_hard,
                   begins_at + n * {size.events // size.images} * {step} AS at,
                   row_number() OVER (ORDER BY random()) <= {size.labels} AS is_labelled
            FROM clock, (SELECT n, encode(sha256(convert_to('image ' || n, 'UTF8')), 'hex') AS digest
                         FROM generate_series(0, {size.images - 1}) AS n) AS i;
            ANALYZE digits""",
        "images": """
            INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean, centroid_x, centroid_y, border,
                                first_seen_at)
            SELECT id, digest, 28, 28, 300, 'image/png', 0.2, 35, 13.5, 13.5, 0, at FROM digits ORDER BY n""",
        "labels": """
            INSERT INTO labels (image_id, task, label, labelled_by, labelled_at)
            SELECT id, 'mnist', truth, 'ann', at + interval '1 hour' FROM digits WHERE is_labelled ORDER BY n""",
        # A wrong label is mostly the one that looks alike.
        "guesses": f"""
            CREATE TEMP TABLE guesses AS
            SELECT p, p / {size.versions} AS n, p % {size.versions} AS v,
                   CASE WHEN random() >= CASE WHEN is_hard THEN 0.02 + 0.01 * (p % {size.versions}) ELSE 0.0004 END THEN truth
                        WHEN random() < 0.7 THEN substr('6735930234', n % 10 + 1, 1)
                        ELSE floor(random() * 10)::int::text END AS label
            FROM generate_series(0, {size.predictions - 1}) AS p JOIN digits ON n = p / {size.versions};
            ANALYZE guesses""",
        "image_votes": """
            INSERT INTO image_votes (image_id, task, versions, lowest_label, highest_label, changed_at)
            SELECT d.id, 'mnist', g.versions, g.lowest, g.highest, d.at
            FROM (SELECT n, count(*) AS versions, min(label) AS lowest, max(label) AS highest FROM guesses GROUP BY n) AS g
            JOIN digits d USING (n) ORDER BY n""",
        "prediction_events": f"""
            INSERT INTO prediction_events (id, at, prediction_id, milliseconds, cached, request_id, source)
            SELECT uuidv7(at - clock_timestamp()), at, {prediction.format("p")}, 0.3 + random(), not is_first, 'run-' || e,
                   CASE e % 4 WHEN 0 THEN 'curl/8' WHEN 1 THEN 'Mozilla/5.0' ELSE 'python-requests/2' END
            FROM (SELECT e, begins_at + e * {step} AS at, e % {repeats} = 0 AS is_first,
                         CASE WHEN e % {repeats} = 0 THEN e / {repeats} ELSE floor(random() * (e / {repeats} + 1))::int END AS p
                  FROM clock, generate_series(0, {size.events - 1}) AS e) AS asked""",
        "predictions": f"""
            INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence, probabilities, created_at, events,
                                     last_event_at, disagrees, true_label)
            SELECT {prediction.format("p")}, d.id, {version.format("v")}, 'mnist', g.label, 0.91, array_fill(0.01::real, '{{10}}'),
                   begins_at + p * {repeats} * {step}, c.events, c.last_event_at, i.disagrees, CASE WHEN is_labelled THEN truth END
            FROM clock, guesses g JOIN digits d USING (n) JOIN image_votes i ON i.image_id = d.id
            JOIN (SELECT prediction_id, count(*) AS events, max(at) AS last_event_at FROM prediction_events GROUP BY 1) AS c
              ON c.prediction_id = {prediction.format("p")}
            ORDER BY p""",
        "confusion_counts": """
            INSERT INTO confusion_counts (model_version_id, true_label, predicted_label, images)
            SELECT model_version_id, true_label, label, count(*) FROM predictions WHERE true_label IS NOT NULL GROUP BY 1, 2, 3""",
        "traffic": """
            INSERT INTO traffic (minute, model_version_id, events, cached, milliseconds)
            SELECT date_bin('1 minute', e.at, 'epoch'), p.model_version_id, count(*), count(*) FILTER (WHERE e.cached),
                   sum(e.milliseconds)
            FROM prediction_events e JOIN predictions p ON p.id = e.prediction_id GROUP BY 1, 2 ORDER BY 1, 2""",
    }

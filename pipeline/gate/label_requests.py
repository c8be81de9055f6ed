"""Label requests of a verdict: logged images on which champion and candidate disagree, at random.

The images are read in a random order until enough are found, so those that are asked about are a
random sample of all on which the two models disagree.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from inference.originals.store import OriginalStore
from pipeline.database import Database, Record
from pipeline.gate.image_sets import BLOCK, Images, Pair, read_pixels
from pipeline.models.model import Model
from pipeline.models.predictions import predict_labels

MAX_REQUESTS = 300  # of one pair of models
MAX_IMAGES = 20_000  # read in search of them

# The order is random, and the same when a step is repeated: the run's number is its seed.
LOGGED = f"""
SELECT i.digest, i.original_url FROM images i
WHERE i.original_url IS NOT NULL AND i.warnings = '{{}}'
  AND EXISTS (SELECT FROM image_votes v WHERE v.image_id = i.id AND v.task = %(task)s)
  AND NOT EXISTS (
      SELECT FROM labels l
      WHERE l.image_id = i.id AND l.task = %(task)s AND l.replaced_at IS NULL)
  AND NOT EXISTS (SELECT FROM label_requests r WHERE r.image_id = i.id AND r.task = %(task)s)
  AND NOT EXISTS (
      SELECT FROM dataset_images x
      WHERE x.dataset_id = %(dataset)s AND x.image_digest = i.digest AND x.split <> 'test')
ORDER BY hashtextextended(i.digest, %(run)s), i.digest LIMIT {MAX_IMAGES}
"""
COUNT = """
SELECT count(*) AS requests FROM label_requests r
WHERE r.task = %(task)s AND r.why = 'disagreement' AND EXISTS (
    SELECT FROM promotion_decisions d
    WHERE d.run_id = r.run_id AND d.champion_digest = %(champion)s
      AND d.candidate_digest = %(candidate)s)
"""
INSERT = """
INSERT INTO label_requests (task, image_id, image_digest, run_id, why, requested_by)
SELECT %(task)s, i.id, i.digest, %(run)s, 'disagreement', %(by)s
FROM unnest(%(digests)s::text[]) AS found (digest)
JOIN images i ON i.id = left(found.digest, 32)::uuid AND i.digest = found.digest
ORDER BY hashtextextended(i.digest, %(run)s)
ON CONFLICT DO NOTHING
"""


def find_disagreements(
    database: Database,
    store: OriginalStore,
    pair: Pair,
    run_id: int,
    models: tuple[Model, Model],
    on_progress: Callable[[int], None],
) -> list[str]:
    """Return the digests of logged images on which two models predict different labels.

    At most 300, less the requests that an earlier verdict about the same models made.
    `on_progress` is called with the number of images that were read. Raises psycopg2.Error and
    StorageUnavailableError.
    """
    arguments = {**pair.arguments(), "run": run_id}
    [row] = database.query(COUNT, arguments)
    wanted = MAX_REQUESTS - row["requests"]
    if wanted <= 0:
        return []
    rows = database.query(LOGGED, arguments)
    found: list[str] = []
    for start in range(0, len(rows), BLOCK):
        found += _disagreements(store, pair, models, rows[start : start + BLOCK])
        on_progress(start)
        if len(found) >= wanted:
            break
    return found[:wanted]


def ask(cursor: Cursor, task: str, run_id: int, digests: Sequence[str]) -> int:
    """Store the requests of a run and return their number. Raises psycopg2.Error."""
    cursor.execute(
        INSERT,
        {"task": task, "run": run_id, "by": f"run {run_id}", "digests": list(digests)},
    )
    return int(cursor.rowcount)


def _disagreements(
    store: OriginalStore, pair: Pair, models: tuple[Model, Model], rows: Sequence[Record]
) -> Iterator[str]:
    read = list(read_pixels(store, [row for row in rows if row["digest"] not in pair.trained]))
    if not read:
        return
    pixels: Images = np.stack([image for _, image in read])
    first, second = (class_labels(model, pixels) for model in models)
    for (digest, _), a, b in zip(read, first, second, strict=True):
        if a != b:
            yield digest


def class_labels(model: Model, pixels: Images) -> list[str | None]:
    """Return the label that a model predicts for each image, None without a finite output."""
    return named(predict_labels(model.network, pixels).tobytes(), model.labels)


def named(indexes: bytes, labels: Sequence[str]) -> list[str | None]:
    """Return the label of each class index, None for one that is no class."""
    names = [*labels, *([None] * (256 - len(labels)))]
    return [names[index] for index in indexes]

"""Rows of a believable history of the learning loop: six runs, datasets, uploads and requests."""

import hashlib
import json
import math
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg2.extensions

STEPS = ("ingest", "validate", "prepare", "train", "evaluate", "compare", "register", "promote")
SECONDS = dict(zip(STEPS, (3.2, 0.8, 4.1, 372.0, 41.0, 0.6, 9.0, 2.4), strict=True))
EXPERIMENT = "mnist_experiment_12__lenet5"
CHAMPION = "mnist_experiment_25__deep_cnn_16_48_96_augmented"
TASK = "mnist"
WORKER = "worker-1"
DIGITS = list("0123456789")


def digest(text: str) -> str:
    """Return a SHA-256 as hex."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Cells:
    """Counts of a comparison with what the gate computes from them."""

    image_set: str
    both_right: int
    only_champion: int
    only_candidate: int
    both_wrong: int
    unanswered: int = 0
    decides: bool = True

    @property
    def images(self) -> int:
        return self.both_right + self.only_champion + self.only_candidate + self.both_wrong

    @property
    def p_better(self) -> float:
        trials = self.only_champion + self.only_candidate + self.unanswered
        wins = self.only_candidate
        return float(sum(math.comb(trials, k) for k in range(wins, trials + 1)) / 2**trials)

    @property
    def gain(self) -> float:
        return (self.only_candidate - self.only_champion) / self.images

    @property
    def gain_lower(self) -> float:
        discordant = self.only_candidate + self.only_champion
        return self.gain - 1.645 * math.sqrt(discordant) / self.images


@dataclass
class History:
    """Ids of the added rows, by the name of the state that they show."""

    runs: dict[str, int] = field(default_factory=dict)
    datasets: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)


class Writer:
    """Adds rows with times relative to now. It commits nothing."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._cursor = connection.cursor()
        self._random = random.Random(7)

    def add(self, table: str, **values: Any) -> int:
        """Add a row and return its id, 0 for a table without one."""
        shown = {
            name: json.dumps(value) if isinstance(value, dict | list) else value
            for name, value in values.items()
        }
        returning = " RETURNING id" if table not in WITHOUT_ID else ""
        self._cursor.execute(
            f"INSERT INTO {table} ({', '.join(shown)}) VALUES ({', '.join(['%s'] * len(shown))})"
            + returning,
            list(shown.values()),
        )
        return int(self._cursor.fetchone()[0]) if returning else 0  # type: ignore[index]

    def at(self, seconds_ago: float) -> Any:
        """Return the time of the database some seconds ago."""
        self._cursor.execute("SELECT now() - %s * interval '1 second'", [seconds_ago])
        return self._cursor.fetchone()[0]  # type: ignore[index]

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        self._cursor.execute(query, arguments)
        return self._cursor.fetchall()

    def run(
        self,
        state: str,
        ago: float,
        *,
        steps: Sequence[str] = STEPS,
        last: Mapping[str, Any] | None = None,
        triggers: Sequence[tuple[str, str, str]] = (("manual", "ann", "more sevens"),),
        **values: Any,
    ) -> int:
        """Add a run with its triggers and its steps, the last of them changed by `last`."""
        took = sum(SECONDS[name] for name in steps)
        is_over = state not in ("QUEUED", "RUNNING")
        run = self.add(
            "pipeline_runs",
            task=TASK,
            experiment_name=EXPERIMENT,
            params={"seeds": 3, "dataset": "latest"},
            state=state,
            created_at=self.at(ago + 2),
            started_at=None if state == "QUEUED" else self.at(ago),
            finished_at=self.at(ago - took) if is_over else None,
            heartbeat_at=None if state == "QUEUED" else self.at(0 if not is_over else ago - took),
            worker=None if state == "QUEUED" else WORKER,
            lease_token=str(uuid.uuid4()) if state == "RUNNING" else None,
            **values,
        )
        for number, (kind, by, reason) in enumerate(triggers):
            self.add(
                "pipeline_triggers",
                run_id=run,
                kind=kind,
                requested_by=by,
                reason=reason,
                at=self.at(ago + 2 - number),
            )
        start = ago
        for ordinal, name in enumerate(steps, 1):
            changed = dict(last or {}) if ordinal == len(steps) else {}
            is_running = changed.get("state") == "RUNNING"
            row = {
                "run_id": run,
                "name": name,
                "ordinal": ordinal,
                "attempt": 1,
                "state": "SUCCEEDED",
                "started_at": self.at(start),
                "finished_at": None if is_running else self.at(start - SECONDS[name]),
                "worker": WORKER,
                "outputs": {} if is_running else OUTPUTS.get(name, {}),
            }
            self.add("pipeline_steps", **{**row, **changed})
            start -= SECONDS[name]
        return run

    def trainings(self, run: int, finished: int, running: int = 0) -> str:
        """Add the seeds of a run and return the digest of the first model."""
        for seed in range(finished + running):
            is_over = seed < finished
            points = 30 if is_over else 17
            noise = self._random.random
            self.add(
                "trainings",
                run_id=run,
                seed=seed + 1,
                params={"learning_rate": 0.05, "momentum": 0.9, "epochs": 12, "batch_size": 64},
                fingerprint=digest(f"{run} {seed}"),
                outcome="finished" if is_over else "RUNNING",
                validation_accuracy=(0.9871, 0.9884, 0.9866)[seed] if is_over else None,
                test_accuracy=(0.9879, 0.9891, 0.9872)[seed] if is_over else None,
                seconds=118.0 + 6 * seed if is_over else None,
                curve={
                    "Step": [100 * (step + 1) for step in range(points)],
                    "Value": [
                        round(2.2 * math.exp(-step / 3) + 0.05 + 0.03 * noise() + 0.004 * seed, 4)
                        for step in range(points)
                    ],
                },
                artifact_url=f"ab/{digest(f'zip {run} {seed}')}.zip" if is_over else None,
                model_digest=digest(f"model {run} {seed}") if is_over else None,
                finished_at=self.at(60) if is_over else None,
            )
        return digest(f"model {run} 1")

    def evidence(
        self,
        run: int,
        verdict: str,
        comparisons: Sequence[Cells],
        reasons: Sequence[str],
        images: Sequence[str],
        **values: Any,
    ) -> int:
        """Add the comparisons and the verdict of a run. images: digests of discordant images."""
        candidate = digest(f"model {run} 1")
        for one in comparisons:
            count = min(100, one.only_champion + one.only_candidate)
            self.add(
                "comparisons",
                run_id=run,
                image_set=one.image_set,
                set_digest=digest(one.image_set),
                champion_digest=digest("champion"),
                candidate_digest=candidate,
                images=one.images,
                both_right=one.both_right,
                only_champion=one.only_champion,
                only_candidate=one.only_candidate,
                both_wrong=one.both_wrong,
                unanswered=one.unanswered,
                p_better=one.p_better,
                gain=one.gain,
                gain_lower=one.gain_lower,
                by_class={},
                discordant=[
                    self._discordant(images, number, by_candidate=number < one.only_candidate)
                    for number in range(count)
                ],
                decides=one.decides,
            )
        return self.add(
            "promotion_decisions",
            run_id=run,
            verdict=verdict,
            rule_version=1,
            settings={"alpha": 0.01, "margin": 0.003, "min_gain": 0.001},
            reasons=_Texts(reasons),
            champion_name=CHAMPION,
            champion_version=1,
            champion_digest=digest("champion"),
            candidate_name=EXPERIMENT,
            candidate_digest=candidate,
            **values,
        )

    def _discordant(
        self, images: Sequence[str], number: int, *, by_candidate: bool
    ) -> dict[str, str]:
        label = DIGITS[number % 10]
        wrong = DIGITS[(number * 7 + 3) % 10]
        wrong = wrong if wrong != label else DIGITS[(number + 1) % 10]
        return {
            "image_digest": images[number % len(images)] if images else digest(f"image {number}"),
            "label": label,
            "champion": wrong if by_candidate else label,
            "candidate": label if by_candidate else wrong,
        }


class _Texts(tuple[str, ...]):
    """Array of text, which psycopg2 would take for a record."""

    def __conform__(self, _protocol: object) -> Any:
        return psycopg2.extensions.adapt(list(self))


WITHOUT_ID = ("pipeline_steps", "dataset_images", "schedules", "pipeline_workers")
OUTPUTS: dict[str, dict[str, Any]] = {
    "ingest": {"images": 70_312, "train": 55_240, "validation": 5_036, "test": 10_036},
    "validate": {"per_class": {}, "contamination": 0, "warnings": []},
    "train": {"chosen_seed": 2},
    "register": {"version": 2, "experiment_name": EXPERIMENT, "published": "now"},
    "promote": {"moved": False, "waits_for": "a person"},
}


def fill(
    connection: psycopg2.extensions.connection,
    *,
    images: Sequence[str] = (),
    is_running: bool = True,
) -> History:
    """Add the history and commit it.

    Args:
        connection: of the owner.
        images: digests of test images, shown as discordant ones.
        is_running: whether the newest run is in its step train, and a worker is alive.

    """
    writer, history = Writer(connection), History()
    _add_datasets(writer, history)
    first, second = history.datasets[:2]
    history.runs["refused"] = refused = writer.run("SUCCEEDED", 9 * 86_400, dataset_id=first)
    writer.trainings(refused, 3)
    writer.evidence(
        refused,
        "REFUSE",
        [Cells("base-test", 9_850, 18, 34, 98), Cells("corrections", 30, 2, 9, 4, decides=False)],
        ["Not better: p = 0.018 on base-test, asked for 0.01."],
        images,
    )
    history.runs["promoted"] = promoted = writer.run(
        "SUCCEEDED",
        5 * 86_400,
        dataset_id=second,
        triggers=[
            ("labels", "worker-1", "213 labels since run 1"),
            ("manual", "ben", "new pens"),
            ("schedule", "worker-1", "0 3 * * 1"),
        ],
    )
    writer.trainings(promoted, 3)
    decision = writer.evidence(
        promoted,
        "PROMOTE",
        [
            Cells("base-test", 9_868, 9, 35, 88),
            Cells("audit", 178, 8, 34, 8, unanswered=6),
            Cells("corrections", 88, 1, 30, 9, decides=False),
        ],
        ["Better on base-test (p = 5.2e-05) and on audit (p = 0.0047).", "No class is worse."],
        images,
        candidate_version=1,
    )
    _move_champion(writer, promoted, decision)
    history.runs["failed"] = writer.run(
        "FAILED",
        4 * 86_400,
        steps=STEPS[:1],
        last={
            "state": "FAILED",
            "error": "The storage at s3://mlops/images does not respond. Start it, then retry.",
            "outputs": None,
        },
        triggers=[("upload", "cleo", "digits.zip")],
        reason="The storage at s3://mlops/images does not respond. Start it, then retry.",
    )
    history.runs["canceled"] = writer.run(
        "CANCELLED", 3 * 86_400, steps=STEPS[:3], reason="Cancelled by ann: wrong dataset"
    )
    history.runs["undecided"] = undecided = writer.run(
        "SUCCEEDED",
        86_400,
        dataset_id=second,
        steps=STEPS[:7],
        triggers=[("schedule", "worker-1", "0 3 * * 1")],
    )
    writer.trainings(undecided, 3)
    writer.evidence(
        undecided,
        "UNDECIDED",
        [Cells("base-test", 9_899, 1, 3, 97)],
        ["Only 4 images differ: fewer than 5 can prove nothing. Labels are asked for."],
        images,
    )
    _add_label_requests(writer, history, undecided)
    if is_running:
        _add_running(writer, history, second)
    connection.commit()
    return history


def _add_datasets(writer: Writer, history: History) -> None:
    counts = {"train": 240, "validation": 36, "test": 36}
    for number in range(2):
        parent = history.datasets[-1] if history.datasets else None
        added = {split: count * number for split, count in counts.items()}
        images = 70_000 + sum(added.values())
        dataset = writer.add(
            "datasets",
            task=TASK,
            digest=digest(f"dataset {number}"),
            parent_id=parent,
            bytes=310_000 * number,
            images=images,
            train=55_000 + added["train"],
            validation=5_000 + added["validation"],
            test=10_000 + added["test"],
            classes=DIGITS,
            sources={
                "base": {"name": "mnist", "sha256": digest("mnist"), "images": 70_000},
                "corrections": 198 * number,
                "audit": 114 * number,
            },
            created_at=writer.at((9 - 4 * number) * 86_400),
            created_by=f"run {number + 1}",
        )
        history.datasets.append(dataset)
        position = 0
        for split, count in added.items():
            for _ in range(count):
                writer.add(
                    "dataset_images",
                    dataset_id=dataset,
                    image_digest=digest(f"added {position}"),
                    label=DIGITS[(position + position // 7) % 10],
                    split=split,
                    source="audit" if position % 3 == 0 else "correction",
                    weight=3 if split == "train" else 1,
                )
                position += 1
    uploads: tuple[dict[str, Any], ...] = (
        {"state": "ACCEPTED", "images": 480, "rejected": 3, "rejects": REJECTS},
        {"state": "REJECTED", "reason": "The zip has no folder that is named by a label."},
        {"state": "RECEIVED"},
    )
    for name, values in zip(("pens.zip", "holiday.zip", "tablet.parquet"), uploads, strict=True):
        writer.add(
            "uploads",
            task=TASK,
            digest=digest(name),
            url=f"ab/{digest(name)}.bin",
            bytes=1_240_000,
            media_type="application/zip",
            name=name,
            uploaded_by="cleo",
            **values,
        )
    writer.add(
        "schedules",
        task=TASK,
        cron="0 3 * * 1",
        experiment_name=EXPERIMENT,
        changed_by="ann",
        last_fired_at=writer.at(86_400),
    )


REJECTS = [
    {"path": "7/broken.png", "reason": "The file is not an image."},
    {"path": "3/huge.png", "reason": "A side is longer than 4096 pixels."},
    {"path": "eleven/1.png", "reason": "The label eleven is not a class of mnist."},
]


def _move_champion(writer: Writer, run: int, decision: int) -> None:
    """Carry the verdict out, as promote_run does for a published version."""
    [(event,)] = writer.rows(
        "SELECT (move_alias(%s, 'champion', %s, 1, %s, 'ben', 'better on both sets',"
        " NULL, NULL, %s)).id",
        TASK,
        EXPERIMENT,
        digest("published"),
        run,
    )
    writer.rows(
        "UPDATE promotion_decisions SET alias_event_id = %s WHERE id = %s RETURNING id",
        event,
        decision,
    )


def _add_label_requests(writer: Writer, history: History, run: int) -> None:
    """Ask for the labels of the logged images, disagreement for two of three."""
    logged = writer.rows(
        "SELECT DISTINCT i.id::text, i.digest FROM images i JOIN predictions p ON p.image_id = i.id"
        " WHERE p.task = %s AND i.warnings = '{}' ORDER BY 2 LIMIT 60",
        TASK,
    )
    for number, (image, image_digest) in enumerate(logged):
        request = writer.add(
            "label_requests",
            task=TASK,
            image_id=image,
            image_digest=image_digest,
            run_id=run,
            why="random" if number % 3 == 2 else "disagreement",
            requested_by=f"run {run}",
        )
        history.requests.append(request)


def _add_running(writer: Writer, history: History, dataset: int) -> None:
    run = writer.run(
        "RUNNING",
        190,
        dataset_id=dataset,
        steps=STEPS[:4],
        last={
            "state": "RUNNING",
            "progress": {
                "training": "2 of 3",
                "seed": 2,
                "epoch": 7,
                "epochs": 12,
                "step": 1700,
                "steps": 3000,
                "loss": 0.0731,
            },
        },
        triggers=[
            ("labels", "worker-1", "204 labels since run 5"),
            ("manual", "ann", "curious"),
            ("api", "nightly", "end of the month"),
        ],
    )
    writer.trainings(run, 1, running=1)
    writer.add("pipeline_workers", name=WORKER, host="loop-1", pid=4711, version=digest("code"))
    history.runs["running"] = run

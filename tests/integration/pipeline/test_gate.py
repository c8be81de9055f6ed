"""Steps evaluate and compare, and the verdict command, with Postgres and shipped models."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pipeline.gate.stored import read_verdict
from pipeline.steps.context import PermanentError, StepContext
from tests.support.gate_runs import (
    BAD,
    GOOD,
    SIMILAR,
    GateRuns,
    Images,
    noisy_digits,
    predictions_of,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def runs(
    service_database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> GateRuns:
    return GateRuns(service_database, tmp_path, monkeypatch)


def disagreeing(count: int, seed: int = 7) -> tuple[Images, list[str]]:
    """Return images on which GOOD and SIMILAR disagree, and their labels."""
    images, labels = noisy_digits(15, seed)
    good, similar = predictions_of(GOOD, images), predictions_of(SIMILAR, images)
    chosen = [index for index in range(len(labels)) if good[index] != similar[index]]
    assert len(chosen) >= count
    return images[chosen[:count]], [labels[index] for index in chosen[:count]]


def agreed() -> tuple[Images, list[str]]:
    """Return images for which GOOD and SIMILAR predict the same label, and their labels."""
    images, labels = noisy_digits(1, 3)
    good, similar = predictions_of(GOOD, images), predictions_of(SIMILAR, images)
    chosen = [index for index in range(len(labels)) if good[index] == similar[index]]
    return images[chosen], [labels[index] for index in chosen]


def undecided(runs: GateRuns) -> StepContext:
    """Return a run for which base-test shows nothing: champion SIMILAR, candidate GOOD."""
    runs.write_base(*agreed())
    runs.set_champion(SIMILAR)
    return runs.start(GOOD)


def run_command(run_id: int, role: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.gate", str(run_id)],
        cwd=ROOT,
        env={**os.environ, "PGUSER": role, "PGPASSWORD": "pass123"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_better_candidate_is_promoted_with_its_evidence(runs: GateRuns) -> None:
    event = runs.set_champion(BAD)
    context = runs.start(GOOD)
    output = runs.finish(context)
    assert output["verdict"] == "PROMOTE"
    row, decision = runs.comparison(context.run.id, "base-test"), runs.decision(context.run.id)
    discordant = row["only_champion"] + row["only_candidate"]
    expected = stats.binomtest(row["only_candidate"], discordant, 0.5, alternative="greater")
    assert row["p_better"] == pytest.approx(expected.pvalue, rel=1e-12, abs=0)
    assert row["gain"] == (row["only_candidate"] - row["only_champion"]) / 1200
    assert sum(counts["images"] for counts in row["by_class"].values()) == row["images"] == 1200
    kept = [min(50, row[side]) for side in ("only_champion", "only_candidate")]
    assert len(row["discordant"]) == sum(kept) >= 50
    assert decision["expected_event_id"] == event
    assert decision["reasons"] == output["reasons"]
    assert decision["settings"]["alpha"] == 0.01
    assert decision["champion_digest"] == row["champion_digest"]
    assert output["sentence"].startswith("Promote: base-test: ")


def test_evaluations_hold_a_label_a_byte_of_both_models(runs: GateRuns) -> None:
    runs.set_champion(BAD)
    context = runs.start(GOOD)
    runs.finish(context)
    images, labels = noisy_digits(6, 0)
    rows = runs.rows(
        "SELECT * FROM evaluations WHERE image_set = 'base-test' ORDER BY version NULLS FIRST"
    )
    assert [(row["experiment_name"], row["version"]) for row in rows] == [(None, None), (BAD, 1)]
    for row, name in zip(rows, (GOOD, BAD), strict=True):
        stored = Path(row["predictions_url"].removeprefix("file://")).read_bytes()
        predicted = predictions_of(name, images)
        assert [str(index) for index in stored] == predicted
        correct = sum(a == b for a, b in zip(predicted, labels, strict=True))
        assert row["correct"] == correct
        assert sum(counts["correct"] for counts in row["by_class"].values()) == correct


def test_worse_candidate_is_refused(runs: GateRuns) -> None:
    runs.set_champion(GOOD)
    output = runs.finish(runs.start(BAD))
    assert (output["verdict"], output["labels_requested"]) == ("REFUSE", 0)


def test_champion_itself_is_refused(runs: GateRuns) -> None:
    runs.set_champion(GOOD)
    output = runs.finish(runs.start(GOOD))
    assert output["verdict"] == "REFUSE"
    assert output["reasons"][0] == "The candidate is the same file as the champion."


def test_run_of_a_person_has_an_alpha_of_5_percent(runs: GateRuns) -> None:
    runs.set_champion(BAD)
    assert runs.finish(runs.start(GOOD, "api"))["alpha"] == 0.05


def test_first_model_of_a_task_is_compared_with_a_constant(runs: GateRuns) -> None:
    context = runs.start(GOOD)
    output = runs.finish(context)
    assert output["verdict"] == "PROMOTE"
    assert "The task has no champion." in output["reasons"][1]
    decision = runs.decision(context.run.id)
    assert (decision["champion_digest"], decision["expected_event_id"]) == (None, None)
    assert run_command(context.run.id, "mlops_read").returncode == 0


def test_missing_champion_fails_the_run_for_good(runs: GateRuns) -> None:
    runs.set_champion("mnist_experiment_77__gone")
    with pytest.raises(PermanentError, match=r"gone, version 1, is not in the model directory"):
        runs.finish(runs.start(GOOD))


def test_undecided_asks_labels_of_images_that_differ(runs: GateRuns) -> None:
    images, _ = disagreeing(20)
    digests = runs.log(np.concatenate([images, agreed()[0][:20]]))
    runs.label(digests[0], "1")
    runs.rows("UPDATE images SET warnings = '{no digit found}' WHERE digest = %s", [digests[1]])
    runs.rows(
        """INSERT INTO dataset_images (dataset_id, image_digest, label, split, source)
        VALUES (%s, %s, '1', 'train', 'correction')""",
        [runs.dataset_id, digests[2]],
    )
    context = undecided(runs)
    output = runs.finish(context)
    assert output["verdict"] == "UNDECIDED", output["reasons"]
    requested = runs.requested(context.run.id)
    assert set(requested) <= set(digests[3:20])
    assert output["labels_requested"] == len(requested) >= 15
    assert output["reasons"][-1].startswith(f"{len(requested)} labels of logged images are")
    assert requested != digests[3:20]  # a random order
    repeated = runs.finish(context)
    assert (repeated["labels_requested"], runs.requested(context.run.id)) == (0, requested)


def test_answers_decide_in_a_run_of_kind_compare(runs: GateRuns) -> None:
    images, labels = disagreeing(40)
    truth = dict(zip(runs.log(images), labels, strict=True))
    good = dict(zip(truth, predictions_of(GOOD, images), strict=True))
    first = undecided(runs)
    runs.finish(first)
    for digest in runs.requested(first.run.id):
        runs.label(digest, good[digest], request=True)  # all for the candidate
    second = runs.start(GOOD, "labels", first.run.id)
    output = runs.finish(second)
    assert output["verdict"] == "PROMOTE"
    row = runs.comparison(second.run.id, "audit")
    assert (row["only_candidate"], row["only_champion"], row["unanswered"]) == (40, 0, 0)


def test_selective_answers_do_not_promote(runs: GateRuns) -> None:
    images, _ = disagreeing(40)
    good = dict(zip(runs.log(images), predictions_of(GOOD, images), strict=True))
    first = undecided(runs)
    runs.finish(first)
    requested = runs.requested(first.run.id)
    for digest in requested[:20]:
        runs.label(digest, good[digest], request=True)
    second = runs.start(GOOD, "api", first.run.id)
    output = runs.finish(second)
    assert output["verdict"] == "UNDECIDED", output["reasons"]
    row = runs.comparison(second.run.id, "audit")
    assert (row["only_candidate"], row["unanswered"]) == (20, 20)
    assert row["p_better"] > 0.5
    assert runs.requested(second.run.id) == []


def test_skipped_replaced_and_withdrawn_answers_count_against(runs: GateRuns) -> None:
    images, _ = disagreeing(40)
    similar, good = predictions_of(SIMILAR, images), predictions_of(GOOD, images)
    digests = runs.log(images)
    first = undecided(runs)
    runs.finish(first)
    for digest, champion in zip(digests[:9], similar, strict=False):
        runs.label(digest, champion, request=True)
    for digest, champion, candidate in zip(digests[:3], similar, good, strict=False):
        runs.label(digest, candidate, replaces=champion)
    for digest in digests[3:6]:
        runs.rows(
            """SELECT withdraw_label(p.id, 'ada') FROM predictions p
            JOIN images i ON i.id = p.image_id WHERE i.digest = %s""",
            [digest],
        )
    runs.rows("SELECT skip_label_request(id, 'ada') FROM label_requests WHERE answered_at IS NULL")
    second = runs.start(GOOD, "api", first.run.id)
    runs.finish(second)
    row = runs.comparison(second.run.id, "audit")
    assert (row["images"], row["only_champion"], row["unanswered"]) == (3, 3, 37)


def test_label_with_a_false_source_is_a_correction(runs: GateRuns) -> None:
    images, _ = disagreeing(30)
    good = predictions_of(GOOD, images)
    for digest, label in zip(runs.log(images), good, strict=True):
        runs.rows(
            """INSERT INTO labels (image_id, task, label, labelled_by, source)
            SELECT id, 'mnist', %s, 'mallory', 'random' FROM images WHERE digest = %s""",
            [label, digest],
        )
    context = undecided(runs)
    output = runs.finish(context)
    assert output["verdict"] == "UNDECIDED"
    assert runs.comparison(context.run.id, "audit")["images"] == 0
    row = runs.comparison(context.run.id, "corrections")
    assert (row["images"], row["only_candidate"], row["decides"]) == (30, 30, False)


def test_random_labels_count_for_every_candidate(runs: GateRuns) -> None:
    images, labels = disagreeing(30)
    digests = runs.log(images)
    runs.rows("SELECT request_labels('mnist', 30, 'ada')")
    for digest, label in zip(digests[:25], labels, strict=False):
        runs.label(digest, label, request=True)
    context = undecided(runs)
    runs.finish(context)
    row = runs.comparison(context.run.id, "audit")
    assert (row["images"], row["unanswered"]) == (25, 5)


def test_requests_about_other_models_do_not_count(runs: GateRuns) -> None:
    """Images that are hard for one champion say nothing about another one."""
    images, labels = disagreeing(30)
    digests = runs.log(images)
    first = undecided(runs)
    runs.finish(first)
    for digest, label in zip(digests, labels, strict=True):
        runs.label(digest, label, request=True)
    runs.set_champion(BAD)
    other = runs.start(GOOD)
    runs.finish(other)
    assert runs.comparison(other.run.id, "audit")["images"] == 0
    assert runs.comparison(other.run.id, "corrections")["images"] == 30


def test_images_of_the_training_do_not_count(runs: GateRuns) -> None:
    images, labels = disagreeing(30)
    digests = runs.log(images)
    context = undecided(runs)
    test_images, test_labels = noisy_digits(1, 3)
    runs.write_base(test_images, test_labels, images[:10])
    runs.rows("SELECT request_labels('mnist', 30, 'ada')")
    for digest, label in zip(digests, labels, strict=True):
        runs.label(digest, label, request=True)
    for digest, split in (
        (digests[10], "train"),
        (digests[11], "validation"),
        (digests[12], "test"),
    ):
        runs.rows(
            """INSERT INTO dataset_images (dataset_id, image_digest, label, split, source)
            VALUES (%s, %s, '1', %s, 'audit')""",
            [runs.dataset_id, digest, split],
        )
    runs.finish(context)
    assert runs.comparison(context.run.id, "audit")["images"] == 18


def test_requests_after_a_full_audit_do_not_count(runs: GateRuns) -> None:
    """Otherwise one could ask for labels until chance favors the candidate."""
    images, _ = disagreeing(40)
    similar, good = predictions_of(SIMILAR, images), predictions_of(GOOD, images)
    digests = runs.log(images[:20])
    first = undecided(runs)
    runs.finish(first)
    for index, digest in enumerate(digests):
        runs.label(digest, (good if index % 2 else similar)[index], request=True)
    second = runs.start(GOOD, "api", first.run.id)
    assert runs.finish(second)["verdict"] == "REFUSE"
    later = runs.log(images[20:])
    runs.rows("SELECT request_labels('mnist', 20, 'ada')")
    for index, digest in enumerate(later):
        runs.label(digest, good[20 + index], request=True)
    third = runs.start(GOOD, "api", first.run.id)
    assert runs.finish(third)["verdict"] == "REFUSE"
    assert runs.comparison(third.run.id, "audit")["images"] == 20


def test_command_reproduces_the_verdict_for_a_reader(runs: GateRuns) -> None:
    runs.set_champion(BAD)
    context = runs.start(GOOD)
    runs.finish(context)
    row = runs.comparison(context.run.id, "base-test")
    done = run_command(context.run.id, "mlops_read")
    assert done.returncode == 0, done.stderr
    assert repr(row["p_better"]) in done.stdout
    assert repr(row["gain_lower"]) in done.stdout
    assert f"only candidate {row['only_candidate']:,}" in done.stdout
    assert "The stored verdict PROMOTE follows from the stored evidence." in done.stdout


def test_command_finds_a_changed_row(runs: GateRuns) -> None:
    runs.set_champion(BAD)
    context = runs.start(GOOD)
    runs.finish(context)
    runs.rows("UPDATE comparisons SET only_candidate = 3, images = images - only_candidate + 3")
    done = run_command(context.run.id, "mlops_read")
    assert done.returncode == 1
    assert "DIFFERENT FROM THE STORED VERDICT" in done.stderr
    assert "base-test: the stored p_better is" in done.stderr
    assert "The stored verdict is PROMOTE, and the evidence gives" in done.stderr


def test_command_after_the_champion_changed_names_both_verdicts(runs: GateRuns) -> None:
    runs.set_champion(BAD)
    context = runs.start(GOOD)
    runs.finish(context)
    runs.rows(
        """INSERT INTO promotion_decisions (run_id, verdict, rule_version, settings, reasons,
            candidate_name, candidate_digest)
        SELECT run_id, 'REFUSE', rule_version, settings, '{The champion has changed.}',
            candidate_name, candidate_digest FROM promotion_decisions"""
    )
    done = run_command(context.run.id, "mlops_read")
    assert done.returncode == 0, done.stderr
    assert "After this verdict: REFUSE. The champion has changed." in done.stdout
    assert "The stored verdict PROMOTE follows from the stored evidence." in done.stdout


@pytest.mark.usefixtures("runs")
def test_command_without_a_verdict_says_so() -> None:
    done = run_command(12345, "mlops_read")
    assert done.returncode == 1
    assert "Run 12345 has no verdict." in done.stderr


def test_read_verdict_uses_the_last_rows_of_a_repeated_step(runs: GateRuns) -> None:
    runs.set_champion(BAD)
    context = runs.start(GOOD)
    runs.finish(context)
    runs.finish(context)
    found = read_verdict(context.database, context.run.id)
    assert found is not None
    assert found.differences == ()
    assert [one.name for one in found.evidence.sets] == ["audit", "base-test", "corrections"]

"""Step compare: counts on which images champion and candidate are correct, and decides.

A verdict that labels could change asks for labels of images on which the two models disagree.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inference.originals.keys import key_in
from inference.originals.open_store import open_store
from inference.originals.store import OriginalStore, StorageUnavailableError
from pipeline.data.base import UnusableBaseError
from pipeline.gate.base_images import read_base
from pipeline.gate.cells import PairedLabels
from pipeline.gate.evidence import AUDIT, BASE_TEST, Evidence, Facts, GateSettings, SetEvidence
from pipeline.gate.image_sets import Pair
from pipeline.gate.label_requests import ask, find_disagreements, named
from pipeline.gate.stored import Comparison, Decision, store_comparison, store_decision
from pipeline.gate.texts import counted
from pipeline.gate.verdict import decide
from pipeline.models.champion import Champion, load_champion
from pipeline.models.model import UnusableModelError, load_artifact
from pipeline.steps.context import PermanentError, StepContext

DECIDING = (BASE_TEST, AUDIT)
# Of runs that a person started, who sees the verdict; the setting is for all others.
PERSON_ALPHA = 0.05
BY_PERSON = ("manual", "api")


def run(context: StepContext) -> dict[str, Any]:
    """Store comparisons, verdict and label requests, and return the verdict.

    All are written in one transaction. A repeated step adds them again, and the last rows count.
    """
    evaluated = context.outputs["evaluate"]
    store = open_store(context.settings.images_url)
    baseline = _baseline(store, evaluated)
    comparisons = [_compare(store, name, evaluated, baseline) for name in evaluated["sets"]]
    facts = evaluated["facts"]
    evidence = Evidence(
        tuple(comparison.evidence for comparison in comparisons),
        Facts(**{**facts, "unpredicted": tuple(facts["unpredicted"])}),
        baseline,
    )
    settings = gate_settings(context)
    verdict = decide(evidence, settings)
    decision = _decision(context, evaluated)
    digests = []
    if verdict.asks_labels:
        digests = _disagreements(context, store, evaluated)
        verdict = replace(verdict, reasons=(*verdict.reasons, request_reason(len(digests))))
    with context.transaction() as cursor:
        for comparison in comparisons:
            store_comparison(cursor, decision, comparison)
        store_decision(cursor, decision, evidence, settings, verdict)
        requested = ask(cursor, context.run.task, context.run.id, digests)
    return {
        "verdict": verdict.outcome.value,
        "reasons": list(verdict.reasons),
        "sentence": verdict.sentence,
        "rule_version": verdict.rule_version,
        "alpha": settings.alpha,
        "sets": {
            one.name: {
                "images": one.cells.images,
                "only_champion": one.cells.only_champion,
                "only_candidate": one.cells.only_candidate,
                "unanswered": one.cells.unanswered,
                "p_better": one.cells.p_better,
                "gain": one.cells.gain,
                "gain_lower": one.cells.gain_lower,
            }
            for one in evidence.sets
        },
        "labels_requested": requested,
    }


def request_reason(requests: int) -> str:
    """Return the sentence about the labels that a verdict asks for."""
    if requests == 0:
        return (
            "No logged image without a label is predicted differently by the two models. "
            "Compare again after further predictions."
        )
    return (
        f"{counted(requests, 'label')} of logged images are requested, drawn at random among "
        "those on which the two models disagree."
    )


def gate_settings(context: StepContext) -> GateSettings:
    """Return the settings of the gate for a run."""
    settings = context.settings
    is_by_person = context.run.trigger_kind in BY_PERSON
    return GateSettings(
        PERSON_ALPHA if is_by_person else settings.gate_alpha,
        settings.gate_margin,
        settings.gate_min_gain,
    )


def _compare(
    store: OriginalStore, name: str, evaluated: Mapping[str, Any], baseline: str | None
) -> Comparison:
    """Count the images of a set. Without a champion, the constant answer takes its place."""
    one = evaluated["sets"][name]
    listing = json.loads(_get(store, one["listing_url"]))
    candidate = named(_get(store, one["candidate_url"]), evaluated["candidate"]["classes"])
    champion = (
        [baseline] * len(candidate)
        if evaluated["champion"] is None
        else named(_get(store, one["champion_url"]), evaluated["champion"]["classes"])
    )
    paired = PairedLabels(listing["digests"], listing["labels"], champion, candidate)
    evidence = SetEvidence(
        name, paired.cells(one["unanswered"]), paired.by_class(), name in DECIDING
    )
    return Comparison(evidence, one["set_digest"], paired.discordant())


def _baseline(store: OriginalStore, evaluated: Mapping[str, Any]) -> str | None:
    """Return the most frequent label of base-test if the task has no champion."""
    if evaluated["champion"] is not None:
        return None
    listing = json.loads(_get(store, evaluated["sets"][BASE_TEST]["listing_url"]))
    counts = Counter(listing["labels"])
    frequent: str = max(sorted(counts), key=counts.__getitem__)
    return frequent


def _decision(context: StepContext, evaluated: Mapping[str, Any]) -> Decision:
    champion = evaluated["champion"] or {}
    return Decision(
        context.run.id,
        champion.get("experiment_name"),
        champion.get("version"),
        champion.get("digest"),
        context.run.experiment_name,
        evaluated["candidate"]["model_digest"],
        champion.get("event_id"),
    )


def _disagreements(
    context: StepContext, store: OriginalStore, evaluated: Mapping[str, Any]
) -> list[str]:
    """Return the digests of the images to ask about."""
    described = evaluated["champion"]
    target = Champion(
        described["experiment_name"],
        described["version"],
        described["digest"],
        described["event_id"],
    )
    try:
        champion = load_champion(target, context.settings)
        candidate = load_artifact(store, context.outputs["train"]["chosen"]["artifact_url"])
        trained = read_base(context.run.task).trained
    except (UnusableModelError, UnusableBaseError) as error:
        raise PermanentError(str(error)) from error
    pair = Pair(
        context.run.task,
        context.outputs["ingest"]["dataset_id"],
        described["digest"],
        candidate.digest,
        trained,
    )
    return find_disagreements(
        context.database,
        store,
        pair,
        context.run.id,
        (champion, candidate),
        lambda images: context.progress(searched=images),
    )


def _get(store: OriginalStore, url: str) -> bytes:
    """Return an object that the step evaluate stored. Raises StorageUnavailableError."""
    data = store.get(key_in(url))
    if data is None:
        raise StorageUnavailableError(
            f"The object {key_in(url)} is missing in the storage. Retry the run."
        )
    return data

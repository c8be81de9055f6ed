"""Step evaluate: labels that champion and candidate predict for the same images.

The sets and the predictions, a class index a byte, are stored. The step compare only counts.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from inference.originals.open_store import open_store
from inference.originals.store import OriginalStore
from pipeline.data.base import UnusableBaseError
from pipeline.gate.base_images import read_base
from pipeline.gate.cells import correct_by_class
from pipeline.gate.evidence import AUDIT, Facts
from pipeline.gate.image_sets import (
    Images,
    LabeledImages,
    Pair,
    read_asked,
    read_corrections,
)
from pipeline.gate.label_requests import named
from pipeline.models.champion import Champion, find_champion, load_champion
from pipeline.models.model import Model, UnusableModelError, load_artifact
from pipeline.models.predictions import predict_labels, seconds_per_image
from pipeline.steps.context import PermanentError, StepContext
from training.task import InvalidTaskError

INSERT = """
INSERT INTO evaluations (run_id, model_digest, experiment_name, version, image_set, set_digest,
    images, correct, predictions_url, by_class, evaluated_by)
SELECT %(run_id)s, %(model_digest)s, %(experiment_name)s, %(version)s, %(image_set)s,
    %(set_digest)s, %(images)s, %(correct)s, %(predictions_url)s, %(by_class)s, %(evaluated_by)s
WHERE NOT EXISTS (
    SELECT FROM evaluations e
    WHERE e.run_id = %(run_id)s AND e.model_digest = %(model_digest)s
      AND e.image_set = %(image_set)s AND e.set_digest = %(set_digest)s)
"""


@dataclass(frozen=True)
class _Contender:
    """A model of the comparison. The candidate has no version yet."""

    role: str
    model: Model
    experiment_name: str | None = None
    version: int | None = None


def run(context: StepContext) -> dict[str, Any]:
    """Return the champion, the candidate, measurements of both, and the sets with predictions.

    Safe to repeat: objects are content-addressed, and rows are added once.
    """
    store = open_store(context.settings.images_url)
    target = find_champion(context.database, context.run.task)
    try:
        candidate = load_artifact(store, context.outputs["train"]["chosen"]["artifact_url"])
        champion = None if target is None else load_champion(target, context.settings)
        base = read_base(context.run.task)
    except (UnusableModelError, UnusableBaseError, InvalidTaskError) as error:
        raise PermanentError(str(error)) from error
    contenders = [_Contender("candidate", candidate)]
    sets, open_pixels, unseen = [base.test], None, 0
    if target is not None and champion is not None:
        contenders.append(_Contender("champion", champion, target.experiment_name, target.version))
        pair = Pair(
            context.run.task,
            context.outputs["ingest"]["dataset_id"],
            champion.digest,
            candidate.digest,
            base.trained,
        )
        asked = read_asked(context.database, store, pair)
        open_pixels, unseen = asked.open_pixels, asked.unseen
        corrections = read_corrections(context.database, store, pair, set(asked.answered.digests))
        sets += [asked.answered, corrections]
    outputs = {one.name: _evaluate(context, store, one, contenders) for one in sets}
    if open_pixels is not None and champion is not None:
        outputs[AUDIT]["unanswered"] = unseen + _disagreeing(candidate, champion, open_pixels)
    return {
        "champion": None if target is None or champion is None else _describe(target, champion),
        "candidate": {
            "model_digest": candidate.digest,
            "keras_digest": candidate.keras_digest,
            "classes": list(candidate.labels),
        },
        "facts": asdict(_facts(context, candidate, champion, base.test)),
        "sets": outputs,
    }


def _describe(target: Champion, champion: Model) -> dict[str, Any]:
    return {
        "experiment_name": target.experiment_name,
        "version": target.version,
        "digest": champion.digest,
        "keras_digest": champion.keras_digest,
        "event_id": target.event_id,
        "classes": list(champion.labels),
    }


def _evaluate(
    context: StepContext,
    store: OriginalStore,
    images: LabeledImages,
    contenders: list[_Contender],
) -> dict[str, Any]:
    """Store a set and the predictions of each model, and return their addresses."""
    listing = {"digests": images.digests, "labels": images.labels}
    output: dict[str, Any] = {
        "images": len(images.labels),
        "set_digest": images.set_digest,
        "unanswered": 0,
        "listing_url": _put(store, json.dumps(listing).encode(), "json"),
    }
    for contender in contenders:
        model = contender.model
        predictions = _predict(context, images, contender)
        url = _put(store, predictions, "bin")
        by_class = correct_by_class(images.labels, named(predictions, model.labels))
        context.write(
            INSERT,
            {
                "run_id": context.run.id,
                "model_digest": model.digest,
                "experiment_name": contender.experiment_name,
                "version": contender.version,
                "image_set": images.name,
                "set_digest": images.set_digest,
                "images": len(images.labels),
                "correct": sum(counts["correct"] for counts in by_class.values()),
                "predictions_url": url,
                "by_class": json.dumps(by_class),
                "evaluated_by": f"run {context.run.id}",
            },
        )
        output[f"{contender.role}_url"] = url
    return output


def _predict(context: StepContext, images: LabeledImages, contender: _Contender) -> bytes:
    """Return the class index that a model predicts for each image, a byte each."""

    def report(done: int) -> None:
        context.progress(set=images.name, model=contender.role, images=done)

    return predict_labels(contender.model.network, images.pixels, report).tobytes()


def _disagreeing(candidate: Model, champion: Model, pixels: Images) -> int:
    """Return the number of images for which two models predict different labels."""
    first, second = (
        named(predict_labels(model.network, pixels).tobytes(), model.labels)
        for model in (candidate, champion)
    )
    return sum(a != b for a, b in zip(first, second, strict=True))


def _facts(
    context: StepContext, candidate: Model, champion: Model | None, test: LabeledImages
) -> Facts:
    models = [candidate] if champion is None else [candidate, champion]
    seconds = seconds_per_image([model.network for model in models], test.pixels)
    predicted = Counter(
        named(predict_labels(candidate.network, test.pixels).tobytes(), candidate.labels)
    )
    return Facts(
        is_champion=champion is not None and champion.digest == candidate.digest,
        parity_holds=candidate.card.parity.holds,
        unpredicted=tuple(sorted(label for label in set(test.labels) if not predicted[label])),
        candidate_bytes=candidate.bytes,
        champion_bytes=None if champion is None else champion.bytes,
        candidate_seconds=seconds[0],
        champion_seconds=None if champion is None else seconds[1],
        contaminated=context.outputs["validate"]["contamination"],
    )


def _put(store: OriginalStore, data: bytes, extension: str) -> str:
    digest = sha256(data).hexdigest()
    return store.put(f"{digest[:2]}/{digest}.{extension}", data)

"""/evaluations: stored accuracies of models on sets of labeled images."""

from typing import Any

from inference.api import validation
from inference.api.learning import fields
from inference.api.learning.fields import MAX_COUNT
from inference.api.validation import MAX_LABEL, MAX_PERSON
from inference.database.learning.evaluations import Evaluations, NewEvaluation
from inference.errors import Document, InvalidValueError, MalformedRequestError

MAX_SET_NAME = 200
MAX_CLASSES = 1000


class EvaluationsApi:
    """The operations of the resource /evaluations."""

    def __init__(self, evaluations: Evaluations) -> None:
        self._evaluations = evaluations

    def add_evaluation(self, document: Any) -> tuple[Document, int]:
        """Store an evaluation."""
        fields.only(document, tuple(NewEvaluation.__dataclass_fields__))
        name = validation.name(validation.text(document, "experiment_name", 128))
        version = fields.whole(document, "version", (1, validation.MAX_VERSION))
        model = validation.digest(validation.text(document, "model_digest", 64), "model_digest")
        images = fields.whole(document, "images", (1, MAX_COUNT))
        correct = fields.whole(document, "correct", (0, images))
        by_class = _by_class(document.get("by_class"), images, correct)
        evaluation = NewEvaluation(
            model_digest=model,
            experiment_name=name,
            version=version,
            image_set=validation.text(document, "image_set", MAX_SET_NAME),
            set_digest=validation.digest(validation.text(document, "set_digest", 64), "set_digest"),
            images=images,
            correct=correct,
            by_class=by_class,
            evaluated_by=validation.text(document, "evaluated_by", MAX_PERSON),
        )
        return self._evaluations.add(evaluation), 201

    def list_evaluations(
        self,
        experiment_name: str | None = None,
        image_set: str | None = None,
        limit: int = 50,
        cursor: int | None = None,
    ) -> Document:
        """Return a page of evaluations, latest first."""
        experiment: tuple[str | None, int | None] = (None, None)
        if experiment_name is not None:
            experiment = validation.pinned_name(experiment_name)
        if image_set is not None:
            image_set = validation.text({"image_set": image_set}, "image_set", MAX_SET_NAME)
        before = fields.before(cursor)
        evaluations, following = self._evaluations.page(experiment, image_set, limit, before)
        return {"evaluations": evaluations, "next": following}


def _by_class(value: Any, images: int, correct: int) -> dict[str, dict[str, int]]:
    """Return the numbers of a label's images and correct ones, by label."""
    if not isinstance(value, dict) or len(value) > MAX_CLASSES:
        raise MalformedRequestError(
            'by_class must be an object such as {"7": {"images": 10, "correct": 9}}.', "by_class"
        )
    counts = {label: _counts(label, entry) for label, entry in value.items()}
    sums = tuple(sum(entry[key] for entry in counts.values()) for key in ("images", "correct"))
    if sums != (images, correct):
        raise InvalidValueError(
            "The numbers of by_class do not sum to images and correct. Send every label.",
            "by_class",
        )
    return counts


def _counts(label: str, entry: Any) -> dict[str, int]:
    validation.text({"by_class": label}, "by_class", MAX_LABEL)
    if not isinstance(entry, dict) or entry.keys() != {"images", "correct"}:
        raise MalformedRequestError(
            "A label of by_class must have the fields images and correct.", "by_class"
        )
    images = fields.whole(entry, "images", (0, MAX_COUNT))
    return {"images": images, "correct": fields.whole(entry, "correct", (0, images))}

"""Consensus of several models about one image.

inference/prediction/consensus.py has the same rule for all models of a request.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from web.data.api_types import Answer
from web.formatting import format_percent

UNSURE_BELOW = 0.60
# A model votes if its test accuracy is at least this part of the way from chance to 1.
MIN_SKILL = 0.1
# Outcomes of a training whose model does not vote.
UNUSABLE_OUTCOMES = ("diverged", "failed", "killed")


@dataclass(frozen=True)
class Consensus:
    """Label that most models predict.

    Attributes:
        label: the winner. Between equal votes, the label with the higher mean probability.
        votes: number of models that predict it.
        voters: number of models with a prediction.
        confidence: mean probability of the label over all voters, 0 to 1.
        dissent: other label -> the models that predict it, most votes first.
        left_out: models with a prediction that do not vote.

    """

    label: str
    votes: int
    voters: int
    confidence: float
    dissent: dict[str, tuple[str, ...]]
    left_out: tuple[str, ...] = ()

    @property
    def is_unsure(self) -> bool:
        """Whether the mean probability is too low."""
        return is_unsure(self.confidence)


def is_unsure(confidence: float) -> bool:
    """Return whether a prediction with this confidence (0 to 1) counts as unsure."""
    return confidence < UNSURE_BELOW


def group_by_task(answers: Sequence[Answer], task_of: Mapping[str, str]) -> dict[str, list[Answer]]:
    """Group answers by task, the task with the most answers first.

    Labels of different tasks are not comparable.

    Args:
        answers: answers to one image.
        task_of: the task of each model.

    """
    groups: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[task_of[answer.experiment]].append(answer)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def find_unfit(outcome: object, accuracy: float | None, classes: int) -> str | None:
    """Return why a model does not vote, such as `diverged`, None for one that votes.

    Args:
        outcome: outcome of its training, None if unknown.
        accuracy: test accuracy, 0 to 1, None or NaN if unknown.
        classes: number of its classes, at least 1.

    """
    if outcome in UNUSABLE_OUTCOMES:
        return str(outcome)
    chance = 1 / classes
    if accuracy is not None and accuracy < chance + MIN_SKILL * (1 - chance):
        return f"test accuracy {format_percent(accuracy)}"
    return None


def find_consensus(
    answers: Sequence[Answer], warnings: Sequence[str] = (), unfit: Container[str] = ()
) -> Consensus | None:
    """Return the consensus of answers of one task.

    None without a prediction, and for an image with warnings: its models agree on a label that the
    image does not show.

    Args:
        answers: the answers.
        warnings: of the image.
        unfit: models that do not vote, unless there is no other.

    """
    if warnings:
        return None
    predictions = {
        answer.experiment: answer.prediction for answer in answers if answer.prediction is not None
    }
    if not predictions:
        return None
    left_out = tuple(name for name in predictions if name in unfit)
    if len(left_out) < len(predictions):
        predictions = {name: one for name, one in predictions.items() if name not in left_out}
    else:
        left_out = ()
    votes = Counter(prediction.label for prediction in predictions.values())
    mean = {
        label: sum(prediction.probabilities.get(label, 0.0) for prediction in predictions.values())
        / len(predictions)
        for label in votes
    }
    winner = max(votes, key=lambda label: (votes[label], mean[label]))
    dissenters: defaultdict[str, list[str]] = defaultdict(list)
    for experiment, prediction in predictions.items():
        if prediction.label != winner:
            dissenters[prediction.label].append(experiment)
    return Consensus(
        label=winner,
        votes=votes[winner],
        voters=len(predictions),
        confidence=mean[winner],
        dissent={
            label: tuple(dissenters[label]) for label, _ in votes.most_common() if label != winner
        },
        left_out=left_out,
    )

"""Consensus of several models about one image.

inference/prediction/consensus.py has the same rule for all models of a request.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from web.data.api_types import Answer

UNSURE_BELOW = 0.60


@dataclass(frozen=True)
class Consensus:
    """Label that most models predict.

    Attributes:
        label: the winner. Between equal votes, the label with the higher mean probability.
        votes: number of models that predict it.
        voters: number of models with a prediction.
        confidence: mean probability of the label over all voters, 0 to 1.
        dissent: other label -> the models that predict it, most votes first.

    """

    label: str
    votes: int
    voters: int
    confidence: float
    dissent: dict[str, tuple[str, ...]]

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


def find_consensus(answers: Sequence[Answer], warnings: Sequence[str] = ()) -> Consensus | None:
    """Return the consensus of answers of one task.

    None without a prediction, and for an image with warnings: its models agree on a label that the
    image does not show.
    """
    if warnings:
        return None
    predictions = {
        answer.experiment: answer.prediction for answer in answers if answer.prediction is not None
    }
    if not predictions:
        return None
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
    )

"""What several answers to one image say together."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from web.data.api_client import Answer

# Below this confidence an answer is called unsure (doc: ui, Predict).
UNSURE_BELOW = 0.60


@dataclass(frozen=True)
class Consensus:
    """The label most experiments gave.

    Attributes:
        label: the winner; between equals the one with the higher mean probability.
        votes: how many gave it, of voters that answered at all.
        confidence: mean probability of the label over all voters, 0..1.
        dissent: label -> the experiments that gave it instead, most votes first.
        unsure: the experiments whose own confidence is below UNSURE_BELOW.

    """

    label: str
    votes: int
    voters: int
    confidence: float
    dissent: dict[str, tuple[str, ...]]
    unsure: tuple[str, ...]

    @property
    def is_unsure(self) -> bool:
        """Whether the experiments together are unsure."""
        return self.confidence < UNSURE_BELOW


def by_task(answers: Sequence[Answer], tasks: Mapping[str, str]) -> dict[str, list[Answer]]:
    """Return the answers by task, that of the most answers first.

    Labels of different tasks say nothing of each other.

    tasks: the task of each experiment.
    """
    groups: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[tasks[answer.experiment]].append(answer)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def find_consensus(answers: Sequence[Answer]) -> Consensus | None:
    """Return what the answers, all of one task, agree on, or None if no experiment answered."""
    given = {
        answer.experiment: answer.prediction for answer in answers if answer.prediction is not None
    }
    if not given:
        return None
    votes = Counter(prediction.label for prediction in given.values())
    mean = {
        label: sum(prediction.probabilities.get(label, 0.0) for prediction in given.values())
        / len(given)
        for label in votes
    }
    winner = max(votes, key=lambda label: (votes[label], mean[label]))
    others: defaultdict[str, list[str]] = defaultdict(list)
    for experiment, prediction in given.items():
        if prediction.label != winner:
            others[prediction.label].append(experiment)
    return Consensus(
        label=winner,
        votes=votes[winner],
        voters=len(given),
        confidence=mean[winner],
        dissent={
            label: tuple(others[label]) for label, _ in votes.most_common() if label != winner
        },
        unsure=tuple(
            name for name, prediction in given.items() if prediction.confidence < UNSURE_BELOW
        ),
    )


def answer_table(answers: Sequence[Answer], agreed: Consensus | None) -> pd.DataFrame:
    """One row per answer.

    Experiment, answer, confidence (in percent), note (disagrees, unsure, or the problem).
    """
    rows: list[tuple[str, str | None, float | None, str]] = []
    for answer in answers:
        if answer.prediction is None:
            rows.append((answer.experiment, None, None, str(answer.problem or "no answer")))
            continue
        prediction = answer.prediction
        notes = ["disagrees"] if agreed is not None and prediction.label != agreed.label else []
        if prediction.confidence < UNSURE_BELOW:
            notes.append("unsure")
        rows.append(
            (answer.experiment, prediction.label, prediction.confidence * 100, ", ".join(notes))
        )
    return pd.DataFrame(rows, columns=["experiment", "answer", "confidence", "note"])


def probability_table(probabilities: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Experiment -> label -> probability as a table: Experiment, then a column of 0..1 per label."""
    labels = sorted({label for shares in probabilities.values() for label in shares})
    rows = [
        [name, *(shares.get(label) for label in labels)] for name, shares in probabilities.items()
    ]
    return pd.DataFrame(rows, columns=["Experiment", *labels])


@dataclass(frozen=True)
class Read:
    """What became of one picture of several: its consensus, or why there is none."""

    file: str
    consensus: Consensus | None
    problem: str | None = None


def gallery_table(read: Sequence[Read]) -> pd.DataFrame:
    """One row per picture.

    File, answer, agree (3 of 4), confidence (percent), note (unsure, disagreement, or the problem).
    """
    rows: list[tuple[str, str | None, str | None, float | None, str]] = []
    for each in read:
        agreed = each.consensus
        if agreed is None:
            rows.append((each.file, None, None, None, each.problem or "no answer"))
            continue
        notes = ["unsure"] if agreed.is_unsure else []
        if agreed.dissent:
            notes.append("also read as " + ", ".join(agreed.dissent))
        rows.append(
            (
                each.file,
                agreed.label,
                f"{agreed.votes} of {agreed.voters}",
                agreed.confidence * 100,
                "; ".join(notes),
            )
        )
    return pd.DataFrame(rows, columns=["file", "answer", "agree", "confidence", "note"])

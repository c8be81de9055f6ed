"""Tables of the Predict page: answers of one image, probabilities, and a gallery of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from web.data.api_types import Answer
from web.data.consensus import Consensus, is_unsure
from web.data.image_warnings import short_warning

UNSURE = "unsure"


@dataclass(frozen=True)
class GalleryItem:
    """Result of one image of several: its consensus, or what prevents one.

    Attributes:
        file: name of the file.
        consensus: the consensus, None without one.
        problem: why the image has no prediction, else None.
        warnings: the image's warnings, see image_warnings.

    """

    file: str
    consensus: Consensus | None
    problem: str | None = None
    warnings: tuple[str, ...] = ()


def answer_table(
    answers: Sequence[Answer], consensus: Consensus | None, champion: str | None = None
) -> pd.DataFrame:
    """Return one row per answer.

    Columns: experiment, answer, confidence (percent), note (champion, no vote, disagrees, unsure,
    or the problem).
    """
    rows: list[tuple[str, str | None, float | None, str]] = []
    for answer in answers:
        prediction = answer.prediction
        if prediction is None:
            rows.append((answer.experiment, None, None, str(answer.problem or "no answer")))
            continue
        has_dissent = consensus is not None and prediction.label != consensus.label
        notes = ["champion"] if answer.experiment == champion else []
        if consensus is not None and answer.experiment in consensus.left_out:
            notes.append("no vote")
        elif has_dissent:
            notes.append("disagrees")
        if is_unsure(prediction.confidence):
            notes.append(UNSURE)
        rows.append(
            (answer.experiment, prediction.label, prediction.confidence * 100, ", ".join(notes))
        )
    return pd.DataFrame(rows, columns=["experiment", "answer", "confidence", "note"])


def probability_table(probabilities: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Return one row per experiment and one column of probabilities (0 to 1) per label.

    Args:
        probabilities: experiment -> label -> probability.

    """
    labels = sorted({label for row in probabilities.values() for label in row})
    rows = [[name, *(row.get(label) for label in labels)] for name, row in probabilities.items()]
    return pd.DataFrame(rows, columns=["Experiment", *labels])


def gallery_table(items: Sequence[GalleryItem]) -> pd.DataFrame:
    """Return one row per image.

    Columns: file, answer, agree (3 of 4), confidence (percent), note (unsure, other labels, the
    warnings or the problem).
    """
    rows: list[tuple[str, str | None, str | None, float | None, str]] = []
    for item in items:
        consensus = item.consensus
        if consensus is None:
            note = item.problem or short_warning(item.warnings) or "no answer"
            rows.append((item.file, None, None, None, note))
            continue
        notes = [UNSURE] if consensus.is_unsure else []
        if consensus.dissent:
            notes.append("other labels: " + ", ".join(consensus.dissent))
        rows.append(
            (
                item.file,
                consensus.label,
                f"{consensus.votes} of {consensus.voters}",
                consensus.confidence * 100,
                "; ".join(notes),
            )
        )
    return pd.DataFrame(rows, columns=["file", "answer", "agree", "confidence", "note"])

"""Cells: counts of images by the models that predict them correctly, in all and per class."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.gate.evidence import Cells, ClassCells

MAX_DISCORDANT = 50  # images of each side that are stored with a comparison


@dataclass(frozen=True)
class PairedLabels:
    """Labels of n images: the true ones, and those that two models predict. None is no label."""

    digests: Sequence[str]
    true: Sequence[str]
    champion: Sequence[str | None]
    candidate: Sequence[str | None]

    def cells(self, unanswered: int = 0) -> Cells:
        """Return the counts of all images."""
        counts = Counter((champion, candidate) for _, champion, candidate in self._correct())
        return Cells(
            both_right=counts[True, True],
            only_champion=counts[True, False],
            only_candidate=counts[False, True],
            both_wrong=counts[False, False],
            unanswered=unanswered,
        )

    def by_class(self) -> dict[str, ClassCells]:
        """Return the counts of each true label."""
        counts = Counter(self._correct())
        images = Counter(self.true)
        return {
            label: ClassCells(images[label], counts[label, True, False], counts[label, False, True])
            for label in sorted(images)
        }

    def discordant(self) -> list[dict[str, Any]]:
        """Return images that exactly one of the models predicts correctly, by digest.

        Of each model's side, the first 50.
        """
        rows = enumerate(self._correct())
        found = [(self.digests[i], i, right) for i, (_, right, other) in rows if right != other]
        counts: Counter[bool] = Counter()
        kept = []
        for digest, index, is_champion in sorted(found):
            counts[is_champion] += 1
            if counts[is_champion] <= MAX_DISCORDANT:
                kept.append(
                    {
                        "image_digest": digest,
                        "label": self.true[index],
                        "champion": self.champion[index],
                        "candidate": self.candidate[index],
                    }
                )
        return kept

    def _correct(self) -> Iterator[tuple[str, bool, bool]]:
        for true, champion, candidate in zip(self.true, self.champion, self.candidate, strict=True):
            yield true, champion == true, candidate == true


def correct_by_class(
    true: Sequence[str], predicted: Sequence[str | None]
) -> Mapping[str, Mapping[str, int]]:
    """Return images and correct predictions of each true label."""
    images = Counter(true)
    correct = Counter(a for a, b in zip(true, predicted, strict=True) if a == b)
    return {label: {"images": images[label], "correct": correct[label]} for label in sorted(images)}

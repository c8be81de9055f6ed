"""Evidence of the gate: champion and candidate on the same images, measurements, and settings."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluation.paired_tests import gain_lower_bound, mcnemar_p_better

BASE_TEST, AUDIT, CORRECTIONS = "base-test", "audit", "corrections"
# Two models that differ on fewer images prove nothing at .05: 0.5 ** 4 is .0625.
MIN_DISCORDANT = 5
BOUND_ALPHA = 0.05  # of the bound of the gain, and of the tests for a loss


@dataclass(frozen=True)
class Cells:
    """Images of a set by the models that predict them correctly.

    `unanswered` counts the requests without a valid answer for images on which the two models
    disagree. Each counts as an image that only the champion predicts correctly: otherwise the
    person who answers would choose the evidence.
    """

    both_right: int = 0
    only_champion: int = 0
    only_candidate: int = 0
    both_wrong: int = 0
    unanswered: int = 0

    @property
    def images(self) -> int:
        """Number of images with a label."""
        return self.both_right + self.only_champion + self.only_candidate + self.both_wrong

    @property
    def discordant(self) -> int:
        """Number of labeled images that exactly one of the models predicts correctly."""
        return self.only_champion + self.only_candidate

    @functools.cached_property
    def p_better(self) -> float:
        """One-sided p-value of McNemar's exact test: the candidate is not better."""
        return mcnemar_p_better(self.only_champion + self.unanswered, self.only_candidate)

    @functools.cached_property
    def p_worse(self) -> float:
        """One-sided p-value of McNemar's exact test on the labeled images: it is not worse."""
        return mcnemar_p_better(self.only_candidate, self.only_champion)

    @property
    def gain(self) -> float:
        """Accuracy of the candidate minus that of the champion on the labeled images, -1 to 1."""
        return (self.only_candidate - self.only_champion) / self.images if self.images else 0.0

    @functools.cached_property
    def gain_lower(self) -> float:
        """Lower 95 % bound of the gain, -1 to 1. Unanswered requests count for the champion."""
        return gain_lower_bound(
            self.only_champion + self.unanswered, self.only_candidate, self.images + self.unanswered
        )

    def can_prove(self, alpha: float) -> bool:
        """Return whether so many discordant images could show a better candidate at all."""
        return self.discordant >= MIN_DISCORDANT and 0.5**self.discordant <= alpha

    def is_open(self, alpha: float) -> bool:
        """Return whether further answers could still show a better candidate."""
        if not self.can_prove(alpha):
            return True
        won = self.only_candidate + self.unanswered
        return self.unanswered > 0 and mcnemar_p_better(self.only_champion, won) <= alpha


@dataclass(frozen=True)
class ClassCells:
    """Images of one true label, and those that exactly one of the models predicts correctly."""

    images: int
    only_champion: int
    only_candidate: int

    @property
    def p_worse(self) -> float:
        """One-sided p-value of McNemar's exact test: the candidate is not worse."""
        return mcnemar_p_better(self.only_candidate, self.only_champion)


@dataclass(frozen=True)
class SetEvidence:
    """Comparison on one set of images. Only a set that `decides` may support a promotion."""

    name: str
    cells: Cells
    by_class: Mapping[str, ClassCells] = field(default_factory=dict)
    decides: bool = True


@dataclass(frozen=True)
class Facts:
    """Measurements that a promotion requires, whatever the comparisons say.

    Attributes:
        is_champion: whether the candidate is the champion's own file.
        parity_holds: whether LiteRT and Keras agree, according to the candidate's card.
        unpredicted: classes that the candidate never predicts on base-test.
        candidate_bytes, champion_bytes: sizes of model.tflite; None without a champion.
        candidate_seconds, champion_seconds: time per image; None without a champion.
        contaminated: number of images of base-test among the training images.

    """

    is_champion: bool
    parity_holds: bool
    unpredicted: tuple[str, ...]
    candidate_bytes: int
    champion_bytes: int | None
    candidate_seconds: float
    champion_seconds: float | None
    contaminated: int


@dataclass(frozen=True)
class Evidence:
    """Everything that a verdict rests on.

    `baseline` is None where there is a champion. Without one, it is the most frequent label of
    base-test, and the comparison is that with the constant answer `baseline`.
    """

    sets: tuple[SetEvidence, ...]
    facts: Facts
    baseline: str | None = None

    def cells(self, name: str) -> Cells:
        """Return the cells of a deciding set, without any image where there is none."""
        return next((one.cells for one in self.sets if one.name == name and one.decides), Cells())


@dataclass(frozen=True)
class GateSettings:
    """Settings of the gate.

    Attributes:
        alpha: highest probability with which an equal candidate is promoted.
        margin: loss of accuracy that a promotion must rule out, 0.003 for 0.3 points.
        min_gain: gain of accuracy that a promotion requires, 0.001 for 0.1 points.

    """

    alpha: float = 0.01
    margin: float = 0.003
    min_gain: float = 0.001

    @property
    def images_needed(self) -> int:
        """Number of images on which a loss of `margin` shows with a probability of 95 %.

        A smaller set cannot rule the loss out, even if both models predict the same labels.
        """
        if not 0 < self.margin < 1:
            return 0
        return math.ceil(math.log(BOUND_ALPHA) / math.log1p(-self.margin))

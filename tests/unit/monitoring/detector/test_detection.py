"""Detection: the recursion by hand, equal results in any blocks, crossings and their features."""

from dataclasses import replace

import numpy as np
import pytest

from monitoring.detector import (
    FAMILIES,
    THRESHOLDS,
    Observations,
    PathReference,
    State,
    Update,
    detection,
    update,
)
from monitoring.detector.bets import class_bets
from tests.support.drift import draw_digits, observe, observe_digits

DRIFTED = 60  # images


def run(
    reference: PathReference,
    family: str,
    observations: Observations,
    threshold: float | None = None,
) -> Update:
    start = State.start(reference, family)
    return update(reference, family, observations, start, threshold or THRESHOLDS[family])


def with_dead_row(observations: Observations) -> Observations:
    pixels = observations.pixels.copy()
    pixels[:, 14] = 0
    return replace(observations, pixels=pixels)


@pytest.fixture(scope="module")
def drifted(others: Observations) -> Observations:
    """200 ordinary digits, and then those with a dead row."""
    changed = with_dead_row(others[200 : 200 + DRIFTED])
    return Observations(
        np.concatenate([others.pixels[:200], changed.pixels]),
        others.classes[: 200 + DRIFTED],
        others.probabilities[: 200 + DRIFTED],
        others.ties[: 200 + DRIFTED],
    )


def test_labels_follow_the_recursion(reference: PathReference, others: Observations) -> None:
    r, means = np.zeros((10, 4)), []
    for bets in class_bets(others.classes[:300], reference.shares):
        r = (1 + r) * bets
        means.append(r.mean())
    found = run(reference, "labels", others[:300])
    assert found.evidence == pytest.approx(np.log10(means))
    assert found.state.r == pytest.approx(r.ravel())
    assert (found.state.images, found.highest) == (300, found.evidence.max())


def test_sevens_cross_after_the_hand_computed_image(reference: PathReference) -> None:
    """Each seven multiplies the bet of a share that rose to a half by 0.5 / 0.1."""
    pixels, labels = draw_digits(40, seed=7)
    observations = observe(pixels, np.full_like(labels, 7), seed=7)
    sevens = observations[np.flatnonzero(observations.classes == 7)]
    even = replace(reference, label_counts=np.full(10, 200))
    [crossing, *_] = run(even, "labels", sevens).crossings
    r, images = np.zeros((10, 4)), 0
    while r.mean() < 1e6:
        r, images = (1 + r) * class_bets(np.array([7]), even.shares)[0], images + 1
    assert crossing.image == images == 11
    assert crossing.evidence == pytest.approx(np.log10(r.mean()))
    name, share = crossing.features[0]
    assert (name, share > 0.999) == ("class 7", True)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", [1, 2])
def test_any_blocks_give_equal_results(
    reference: PathReference, drifted: Observations, family: str, seed: int
) -> None:
    """A threshold of 30 makes crossings inside and at the ends of blocks."""
    whole = run(reference, family, drifted, 30)
    rng, at = np.random.default_rng(seed), 0
    state, evidence, crossings = State.start(reference, family), [], []
    while at < len(drifted):
        size = int(rng.integers(1, 40))
        stored = State.from_list(state.to_list(), reference, family)
        part = update(reference, family, drifted[at : at + size], stored, 30)
        state = part.state
        evidence.append(part.evidence)
        crossings += [(item.image, item.onset, item.features) for item in part.crossings]
        assert [item.image for item in part.crossings] == [
            at + item.index + 1 for item in part.crossings
        ]
        at += size
    assert np.concatenate(evidence).tobytes() == whole.evidence.tobytes()
    assert crossings == [(item.image, item.onset, item.features) for item in whole.crossings]
    assert state.to_list() == whole.state.to_list()
    if family == "inputs":
        assert len(crossings) > 3


@pytest.mark.parametrize("stride", [1, 5, 1000])
def test_stride_does_not_change_the_result(
    reference: PathReference, drifted: Observations, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    usual = run(reference, "inputs", drifted, 1000)
    monkeypatch.setattr(detection, "STRIDE", stride)
    assert run(reference, "inputs", drifted, 1000).state.to_list() == usual.state.to_list()


def test_replay_gives_the_same_bits(reference: PathReference, others: Observations) -> None:
    again = Observations(others.pixels, others.classes, others.probabilities, others.ties)
    for family in FAMILIES:
        one, other = (run(reference, family, item) for item in (others, again))
        assert one.evidence.tobytes() == other.evidence.tobytes()


def test_ties_of_the_digest_decide(reference: PathReference, others: Observations) -> None:
    other = replace(others, ties=(others.ties + 0.5) % 1)
    one, two = (run(reference, "inputs", item).evidence for item in (others, other))
    assert (one != two).any()


def test_digits_like_the_reference_do_not_cross(reference: PathReference) -> None:
    observations = observe_digits(3000, seed=11)[0]
    highest = {family: run(reference, family, observations).highest for family in FAMILIES}
    assert all(value < 6 for value in highest.values()), highest


def test_dead_row_crosses_soon_and_names_its_feature(
    reference: PathReference, drifted: Observations
) -> None:
    crossing, *_ = run(reference, "inputs", drifted).crossings
    assert 200 < crossing.image <= 220
    assert 198 <= crossing.onset <= 203
    assert crossing.index == crossing.image - 1
    assert crossing.evidence >= 7
    names = [name for name, _ in crossing.features]
    assert names[0] == "row_gap"
    assert sorted(names) == sorted(reference.feature_names)
    shares = [share for _, share in crossing.features]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)


def test_crossing_sets_the_evidence_to_0(reference: PathReference, drifted: Observations) -> None:
    crossings = run(reference, "inputs", drifted).crossings
    first = crossings[0]
    ended = run(reference, "inputs", drifted[: first.image])
    assert (ended.state.r.max(), ended.state.evidence, ended.state.images) == (0, 0, first.image)
    assert ended.highest == ended.evidence[-1] == first.evidence
    assert ended.top_feature == first.features[0][0] == "row_gap"
    again = update(reference, "inputs", drifted[first.image :], ended.state, THRESHOLDS["inputs"])
    assert [item.image for item in again.crossings] == [item.image for item in crossings[1:]]


def test_onset_is_the_last_image_below_10(reference: PathReference) -> None:
    """The statistic of a half of threes is 5 after the first, and (1 + 5) * 5 after the second.

    That of sevens is 1.1 when the sevens begin, and 10.7 after the first of them.
    """
    even = replace(reference, label_counts=np.full(10, 200))
    pixels = draw_digits(30, seed=8)[0]
    labels = np.repeat([3, 7], 15)
    found = run(even, "labels", replace(observe(pixels, labels, seed=8), classes=labels))
    threes, sevens = (
        next(item for item in found.crossings if item.features[0][0] == name)
        for name in ("class 3", "class 7")
    )
    assert (threes.onset, threes.image) == (1, 11)
    assert (sevens.onset, sevens.image) == (15, 26)


def test_rotation_and_noise_are_novel(reference: PathReference, others: Observations) -> None:
    for pixels in (
        np.ascontiguousarray(others.pixels[:100].transpose(0, 2, 1)),
        (others.pixels[:100] // 2 + np.random.default_rng(0).integers(0, 60, (100, 28, 28))).astype(
            np.uint8
        ),
    ):
        [crossing, *_] = run(reference, "novelty", replace(others[:100], pixels=pixels)).crossings
        assert crossing.image <= 15
        assert crossing.features == (("novelty", 1.0),)


def test_unsure_model_crosses_confidence_only(
    reference: PathReference, others: Observations
) -> None:
    mixed = (0.4 * others.probabilities[:300] + 0.06).astype(np.float32)
    unsure = replace(others[:300], probabilities=mixed)
    crossed = {family for family in FAMILIES if run(reference, family, unsure).crossings}
    assert crossed == {"confidence"}


def test_update_without_images_changes_nothing(
    reference: PathReference, others: Observations
) -> None:
    before = run(reference, "inputs", others[:100])
    after = update(reference, "inputs", others[:0], before.state, 1e7)
    assert after.state.to_list() == before.state.to_list()
    assert (len(after.evidence), after.crossings) == (0, ())
    assert (after.highest, after.top_feature) == (before.state.evidence, before.top_feature)


def test_image_with_extreme_values_stays_finite(
    reference: PathReference, others: Observations
) -> None:
    pixels = np.zeros((200, 28, 28), np.uint8)
    pixels[100:] = 255
    extreme = replace(others[:200], pixels=pixels)
    for family in FAMILIES:
        assert np.isfinite(run(reference, family, extreme).evidence).all()

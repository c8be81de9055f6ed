"""Counts of images by the models that predict them correctly."""

from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from pipeline.gate.cells import PairedLabels, correct_by_class
from pipeline.gate.evidence import Cells, ClassCells

PAIRED = PairedLabels(
    ["a", "b", "c", "d", "e"],
    ["7", "7", "1", "1", "0"],
    ["7", "1", "1", "7", None],
    ["7", "7", "7", "7", "0"],
)
LABELS = st.sampled_from(["0", "1", "7"])


def test_cells_of_five_images() -> None:
    assert PAIRED.cells(3) == Cells(1, 1, 2, 1, 3)
    assert PAIRED.by_class() == {
        "0": ClassCells(1, 0, 1),
        "1": ClassCells(2, 1, 0),
        "7": ClassCells(2, 0, 1),
    }


def test_discordant_images_in_order() -> None:
    assert PAIRED.discordant() == [
        {"image_digest": "b", "label": "7", "champion": "1", "candidate": "7"},
        {"image_digest": "c", "label": "1", "champion": "1", "candidate": "7"},
        {"image_digest": "e", "label": "0", "champion": None, "candidate": "0"},
    ]


def test_discordant_images_are_the_first_50_of_each_side_by_digest() -> None:
    digests = [f"{number:03}" for number in reversed(range(190))]
    champion = ["1"] * 120 + ["7"] * 70
    candidate = ["7"] * 120 + ["1"] * 70
    many = PairedLabels(digests, ["1"] * 190, champion, candidate)
    kept = many.discordant()
    assert [one["image_digest"] for one in kept if one["champion"] == "1"] == sorted(digests[:120])[
        :50
    ]
    assert [one["image_digest"] for one in kept if one["candidate"] == "1"] == sorted(
        digests[120:]
    )[:50]
    assert [one["image_digest"] for one in kept] == sorted(one["image_digest"] for one in kept)
    assert many.cells().only_champion == 120


def test_discordant_images_of_a_short_side_are_all_kept() -> None:
    """The images of the longer side do not fill the places of the other."""
    digests = [f"{number:03}" for number in range(203)]
    many = PairedLabels(digests, ["1"] * 203, ["1"] * 200 + ["7"] * 3, ["7"] * 200 + ["1"] * 3)
    assert [one["image_digest"] for one in many.discordant()][50:] == digests[200:]


@given(st.lists(st.tuples(LABELS, LABELS, LABELS), max_size=40))
def test_cells_of_classes_add_up(rows: list[tuple[str, str, str]]) -> None:
    true, champion, candidate = ([row[index] for row in rows] for index in range(3))
    paired = PairedLabels([""] * len(rows), true, champion, candidate)
    cells, classes = paired.cells(), paired.by_class().values()
    assert cells.images == len(rows) == sum(one.images for one in classes)
    assert cells.only_champion == sum(one.only_champion for one in classes)
    assert cells.only_candidate == sum(one.only_candidate for one in classes)
    assert sum(asdict(cells).values()) == len(rows)


def test_correct_by_class_counts_images_without_a_label() -> None:
    assert correct_by_class(["7", "7", "1"], ["7", None, "1"]) == {
        "1": {"images": 1, "correct": 1},
        "7": {"images": 2, "correct": 1},
    }

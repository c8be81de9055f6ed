"""Labeled sets."""

from collections.abc import Sequence

import pytest

from web.evaluations.labeled_set import SkippedFile, adapt_labels, make_set, unknown_labels


def test_digest_depends_on_labels_and_images() -> None:
    digests = {
        make_set("s", *content).digest
        for content in (([b"x"], ["1"]), ([b"x"], ["2"]), ([b"y"], ["1"]), ([], []))
    }
    assert len(digests) == 4


def test_digits_adapt_to_a_model_of_parity() -> None:
    digits = make_set("d", [b"a", b"b"], ["4", "7"])
    by_parity = adapt_labels(digits, ("even", "odd"))
    assert by_parity is not None
    assert by_parity.labels == ("even", "odd")
    assert adapt_labels(digits, "0123456789") == digits


def test_set_without_a_known_label_does_not_adapt() -> None:
    digits = make_set("d", [b"a", b"b"], ["7", "4"])
    assert adapt_labels(digits, ("cat", "dog")) is None
    assert unknown_labels(digits, ("cat", "dog")) == ["4", "7"]


@pytest.mark.parametrize(
    ("classes", "labels"), [("0123456789", ("7", "4")), (("even", "odd"), ("odd", "even"))]
)
def test_unknown_label_leaves_out_only_its_images(
    classes: Sequence[str], labels: tuple[str, ...]
) -> None:
    skipped = [SkippedFile("4/x.txt", "Not an image file.")]
    mixed = make_set("d", [b"a", b"b", b"c", b"d"], ["cat", "7", "07", "4"], skipped)
    adapted = adapt_labels(mixed, classes)
    assert adapted == make_set("d", [b"b", b"d"], labels, skipped)
    assert unknown_labels(mixed, classes) == ["07", "cat"]

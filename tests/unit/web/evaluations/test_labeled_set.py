"""Labeled sets."""

from web.evaluations.labeled_set import adapt_labels, make_set, unknown_labels


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


def test_labels_that_are_not_classes_do_not_adapt() -> None:
    digits = make_set("d", [b"a", b"b"], ["7", "4"])
    assert adapt_labels(digits, ("cat", "dog")) is None
    assert unknown_labels(digits, ("4",)) == ["7"]

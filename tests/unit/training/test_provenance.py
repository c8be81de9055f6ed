"""Provenance of a run: which changes of the code change its digest."""

import hashlib

import pytest

from training.provenance import normalized

SOURCE = '''
"""A module."""

RATE: float = 0.1  # a comment


def double(value: int, *, scale: float = 2.0) -> float:
    """Return the double."""
    return value * scale if value else RATE


class Nothing:
    """Only a docstring."""
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A module.", "Another sentence."),
        ('    """Return the double."""\n', ""),
        ("  # a comment", ""),
        ("value * scale if value else RATE", "(\n        value * scale if value else RATE\n    )"),
    ],
)
def test_normalized_ignores_prose_and_layout(old: str, new: str) -> None:
    assert old in SOURCE
    assert normalized(SOURCE.replace(old, new)) == normalized(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"), [("0.1", "0.2"), ("value *", "value +"), ("2.0", "2"), ("RATE:", "rate:")]
)
def test_normalized_changes_with_the_code(old: str, new: str) -> None:
    assert old in SOURCE
    assert normalized(SOURCE.replace(old, new)) != normalized(SOURCE)


def test_normalized_is_the_same_in_every_python() -> None:
    digest = hashlib.sha256(normalized(SOURCE).encode()).hexdigest()
    assert digest == "db81476fb1464416aa4bcf98a332cbbbcf34b4ecc9514ed510df17f2d4d850f6"

"""Provenance: changes that affect the code digest and the fingerprint."""

import hashlib
from dataclasses import replace

import pytest

from tests.support.training import ORIGIN, SMALL
from training.architectures import DeepCnn, SoftmaxRegression
from training.experiment import Experiment
from training.provenance import normalized, provenance
from training.task import Task

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


def test_normalized_is_independent_of_the_python_version() -> None:
    digest = hashlib.sha256(normalized(SOURCE).encode()).hexdigest()
    assert digest == "db81476fb1464416aa4bcf98a332cbbbcf34b4ecc9514ed510df17f2d4d850f6"


def test_fingerprint_changes_with_each_input() -> None:
    changed = [
        ORIGIN.fingerprint(replace(SMALL, seed=6)),
        ORIGIN.fingerprint(replace(SMALL, architecture=DeepCnn((4, 8), dropout=0.3))),
        replace(ORIGIN, data_sha256="c").fingerprint(SMALL),
        replace(ORIGIN, code_sha256="c").fingerprint(SMALL),
        replace(ORIGIN, keras="4").fingerprint(SMALL),
        ORIGIN.fingerprint(SMALL),
    ]
    assert len(set(changed)) == len(changed)


def test_fingerprint_changes_with_the_task() -> None:
    round_digits, straight = ("round", (0, 3, 6, 8, 9)), ("straight", (1, 4, 7))
    task = Task("curves", (round_digits, straight))
    experiment = Experiment("e", SoftmaxRegression(), 0.1, 0.9, 3, 32, 1, task=task)
    origin = provenance("a" * 64, task)
    moved = replace(task, classes=(("round", (0, 3, 6, 8)), ("straight", (1, 4, 7, 9))))
    assert origin.fingerprint(experiment) != origin.fingerprint(replace(experiment, task=moved))


def test_provenance_of_a_split_dataset_hashes_its_module() -> None:
    plain, split = provenance("a"), provenance("a", is_split_dataset=True)
    assert plain.code_sha256 != split.code_sha256
    assert replace(plain, code_sha256="") == replace(split, code_sha256="")

"""Fixtures of the detector's tests: a reference of drawn digits, and other digits like them."""

import pytest

from monitoring.detector import Observations, PathReference
from tests.support.drift import fit_reference, observe_digits


@pytest.fixture(scope="session")
def reference() -> PathReference:
    return fit_reference()


@pytest.fixture(scope="session")
def others() -> Observations:
    """Digits that are not in the reference."""
    return observe_digits(1000, seed=2)[0]

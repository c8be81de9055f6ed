"""Drift detector: sequential evidence, image by image, that images differ from a reference.

Depends on NumPy and the standard library only. Three calls make a monitor:

    reference = PathReference.fit(observations, correct)    # or Reference.read(path)["as_sent"]
    update(reference, family, observations, state, threshold)    # the next images of one family
    summarize(reference, observations)    # their means, label counts and estimated accuracy

doc/monitoring.md explains the method and its measured delays.
"""

from monitoring.detector.basis import Basis, InvalidBasisError, load_basis
from monitoring.detector.detection import Crossing, Update, update
from monitoring.detector.families import (
    CONFIDENCE,
    FAMILIES,
    INPUTS,
    LABELS,
    NOVELTY,
    THRESHOLDS,
)
from monitoring.detector.observations import Observations, tie_of
from monitoring.detector.path_reference import InvalidReferenceError, PathReference
from monitoring.detector.reference import AS_SENT, FRAMED, PATHS, REFERENCE_FILE, Reference
from monitoring.detector.state import InvalidStateError, State
from monitoring.detector.summary import Summary, summarize

__all__ = [
    "AS_SENT",
    "CONFIDENCE",
    "FAMILIES",
    "FRAMED",
    "INPUTS",
    "LABELS",
    "NOVELTY",
    "PATHS",
    "REFERENCE_FILE",
    "THRESHOLDS",
    "Basis",
    "Crossing",
    "InvalidBasisError",
    "InvalidReferenceError",
    "InvalidStateError",
    "Observations",
    "PathReference",
    "Reference",
    "State",
    "Summary",
    "Update",
    "load_basis",
    "summarize",
    "tie_of",
    "update",
]

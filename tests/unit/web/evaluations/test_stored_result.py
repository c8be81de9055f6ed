"""Stored result of an evaluation."""

import numpy as np

from evaluation.metrics import Predictions
from tests.support.fakes import make_version
from web.evaluations.labeled_set import make_set
from web.evaluations.stored_result import stored_result

NAN = float("nan")


def predictions(*rows: tuple[float, float]) -> Predictions:
    return Predictions(("0", "1"), np.array(rows, dtype=np.float32))


def test_counts_leave_out_images_without_an_answer() -> None:
    labeled_set = make_set("set", [b"a", b"b", b"c", b"d"], ["0", "0", "1", "1"])
    model = make_version("a", 3, digest="c" * 64)
    result = stored_result(
        model, labeled_set, predictions((0.9, 0.1), (0.2, 0.8), (0.3, 0.7), (NAN, NAN))
    )
    assert result == {
        "experiment_name": "a",
        "version": 3,
        "model_digest": "c" * 64,
        "image_set": "set",
        "set_digest": labeled_set.digest,
        "images": 3,
        "correct": 2,
        "by_class": {"0": {"images": 2, "correct": 1}, "1": {"images": 1, "correct": 1}},
        "evaluated_by": "dashboard",
    }


def test_nothing_to_store_without_an_answer() -> None:
    labeled_set = make_set("set", [b"a"], ["0"])
    model = make_version("a", digest="c" * 64)
    assert stored_result(model, labeled_set, predictions((NAN, NAN))) is None


def test_model_without_a_digest_is_not_stored() -> None:
    labeled_set = make_set("set", [b"a"], ["0"])
    for digest in (None, "d"):
        model = make_version("a", digest=digest)
        assert stored_result(model, labeled_set, predictions((0.9, 0.1))) is None

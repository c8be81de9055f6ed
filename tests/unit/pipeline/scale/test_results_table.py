"""The result is the same file on every run, and other programs read it."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from inference.model_format.card import MNIST_INPUT, PROBABILITIES
from pipeline.scale.chunk import NO_LABEL, ChunkScores, NetworkSpec
from pipeline.scale.results_table import METADATA, write_table
from pipeline.scale.scored_images import ScoredImages
from pipeline.scale.scored_models import ScoredModel

SPEC = NetworkSpec("0" * 64, 2, MNIST_INPUT, PROBABILITIES)
MODEL = ScoredModel("m.x", 3, "d" * 64, ("even", "odd"), SPEC, b"", 1e-5)
SCORES = ChunkScores(
    np.array([[1, NO_LABEL, 0]], np.int16), np.array([[0.75, np.nan, 1]], np.float32)
)
PIXELS = np.zeros((3, 28, 28), np.uint8)
OF_PREFIX = ScoredImages(
    PIXELS, ["a", None, "c"], ["odd", None, None], ["1.png", "2.png", "3.png"], [None, "bad", None]
)


def test_write_table_of_a_prefix_has_keys_and_errors(tmp_path: Path) -> None:
    write_table(tmp_path / "t", OF_PREFIX, [MODEL], SCORES, {"prefix": "in"})
    table = pq.read_table(tmp_path / "t")
    assert table.to_pydict() == {
        "key": ["1.png", "2.png", "3.png"],
        "image_digest": ["a", None, "c"],
        "label": ["odd", None, None],
        "error": [None, "bad", None],
        "m.x@3:label": ["odd", None, "even"],
        "m.x@3:confidence": [0.75, None, 1.0],
    }
    assert json.loads(table.schema.metadata[METADATA]) == {"prefix": "in"}


def test_write_table_of_a_dataset_has_digests(tmp_path: Path) -> None:
    images = ScoredImages(PIXELS, ["a", "b", "c"], ["odd", "odd", "even"])
    write_table(tmp_path / "t", images, [MODEL], SCORES, {})
    assert pq.read_schema(tmp_path / "t").names == [
        "image_digest",
        "label",
        "m.x@3:label",
        "m.x@3:confidence",
    ]


def test_write_table_again_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table(tmp_path / name, OF_PREFIX, [MODEL], SCORES, {"x": 1, "y": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

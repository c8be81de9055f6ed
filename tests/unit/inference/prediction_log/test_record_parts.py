"""The parts of a record together have the rows of the whole one."""

import json
from pathlib import Path

import numpy as np
import pytest

from inference.models.version import ModelVersion, State
from inference.prediction_log.decoder import Rows, SeenKeys, decode_originals
from inference.prediction_log.record_parts import divide_record
from inference.prediction_log.recorder import ModelOutputs, RequestInfo
from inference.runtime.outputs import collect_outputs
from tests.support.prediction_log import make_image, make_log, read_lines

MODELS = [
    ModelVersion(name, State.READY, digest="d" * 64, classes=("x", "y")) for name in ("a", "b", "c")
]


def record(folder: Path, images: int, requests: int, models: int) -> bytes:
    """Return a record with an original for each image."""
    outputs = np.random.default_rng(1).random((models, images, 2), np.float32)
    make_log(folder).record_predictions(
        [make_image(seed, bytes([seed])) for seed in range(images)],
        [
            RequestInfo(f"request {number}", "curl/8", 0.0, protocol=("oip", "native")[number % 2])
            for number in range(requests)
        ],
        [float(number) for number in range(requests)],
        list(
            map(
                ModelOutputs,
                MODELS,
                collect_outputs([(rows, [False] * images) for rows in outputs]),
            )
        ),
    )
    [line] = read_lines(folder)
    return line


def divide_completely(line: bytes) -> list[bytes]:
    halves = divide_record(line).halves
    return [part for half in halves for part in divide_completely(half)] if halves else [line]


def decode(lines: list[bytes]) -> tuple[object, ...]:
    rows = Rows(SeenKeys())
    for line in lines:
        rows.add(line)
    events = sorted(event for month in rows.events.values() for event in month)
    return events, rows.images, rows.predictions, rows.versions, rows.counts


@pytest.mark.parametrize(("images", "requests", "models"), [(5, 1, 3), (4, 4, 1), (3, 3, 2)])
def test_parts_have_the_rows_of_the_record(
    tmp_path: Path, images: int, requests: int, models: int
) -> None:
    line = record(tmp_path, images, requests, models)
    parts = divide_completely(line)
    assert len(parts) == images * models
    assert decode(parts) == decode([line])
    assert decode_originals(parts) == {}


def test_descriptions_have_images_versions_and_originals(tmp_path: Path) -> None:
    line = record(tmp_path, 3, 1, 2)
    descriptions = divide_record(line).descriptions
    events, images, predictions, versions, _ = decode([descriptions])
    assert (events, predictions) == ([], {})
    assert (images, versions) == decode([line])[1:4:2]
    assert decode_originals([descriptions]) == decode_originals([line])


def test_single_prediction_and_states_have_no_halves(tmp_path: Path) -> None:
    assert divide_record(record(tmp_path, 1, 1, 1)).halves == []
    states = b'{"at":1,"states":[],"present":[]}\n'
    parts = divide_record(states)
    assert parts.halves == []
    assert json.loads(parts.descriptions)["images"] == []

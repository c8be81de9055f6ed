"""MLflow's scoring protocol: arrays, data frames and CSV, as its client sends them."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.protocol_images import IMAGES, LEVELS, RNG, assert_close, shapes
from tests.support.protocol_service import (
    CNN,
    FAILED,
    LOADING,
    NOT_FINITE,
    OVERFLOW,
    PARITY,
    SECOND_VERSION,
    SMALL,
    SOURCES,
    ProtocolService,
    Reply,
    litert,
)

INVOCATIONS = "/invocations"
ROWS = IMAGES.reshape(-1, 784)
ORDER = RNG.permutation(784)
NAMES = {
    "pixel0": [f"pixel{index}" for index in range(784)],
    "0": [str(index) for index in range(784)],
}


def ask(
    service: ProtocolService, document: dict[str, Any], path: str = INVOCATIONS
) -> list[list[float]]:
    return predictions(service.post_json(path, document))


def predictions(reply: Reply) -> list[list[float]]:
    assert reply.status == 200, str(reply)
    assert reply.headers["content-type"] == "application/json"
    assert reply.document.keys() == {"predictions"}
    rows: list[list[float]] = reply.document["predictions"]
    return rows


def csv_body(columns: Sequence[object], rows: NDArray[Any], **options: Any) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, **options)
    writer.writerow(columns)
    writer.writerows(rows.tolist())
    return text.getvalue().encode()


@pytest.mark.parametrize("prefix", ["", f"/mlflow/{SMALL}", "/mlflow/mnist@champion"])
def test_health_and_version_are_answered(service: ProtocolService, prefix: str) -> None:
    assert service.get(f"{prefix}/ping").status == 200
    assert service.get("/health").status == 200
    reply = service.get("/version")
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.body.decode() == service.get("/v2").document["version"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (INVOCATIONS, CNN),
        (f"/mlflow/{SMALL}/invocations", SECOND_VERSION),
        (f"/mlflow/{SMALL}@1/invocations", SMALL),
        ("/mlflow/mnist@stable/invocations", SMALL),
        ("/mlflow/parity@champion/invocations", PARITY),
    ],
)
def test_arrays_agree_with_litert(service: ProtocolService, path: str, source: str) -> None:
    reply = service.post_json(path, {"inputs": IMAGES.tolist()})
    assert reply.headers["x-model-version"] in [
        f"{name}@{version}" for (name, version), own in SOURCES.items() if own == source
    ]
    first = predictions(reply)
    assert_close(first, litert(source, IMAGES))
    for pixels in shapes(IMAGES):
        for values in (pixels.tolist(), pixels.astype(float).tolist()):
            for document in (
                {"inputs": values},
                {"instances": values},
                {"inputs": {"image": values}},
                {"inputs": values, "params": {}},
                {"inputs": values, "params": {"unknown": "x"}},
            ):
                assert ask(service, document, path) == first
    assert ask(service, {"inputs": IMAGES[0].tolist()}, path) == first[:1]


@pytest.mark.parametrize("names", NAMES)
def test_frames_order_columns_that_name_pixels(service: ProtocolService, names: str) -> None:
    columns = NAMES[names]
    permuted, rows = [columns[index] for index in ORDER], ROWS[:, ORDER]
    first = ask(service, {"inputs": IMAGES.tolist()})
    numbers: list[Any] = list(range(784)) if names == "0" else columns
    for document in (
        {"dataframe_split": {"columns": numbers, "data": ROWS.tolist()}},
        {"dataframe_split": {"index": [0], "columns": columns, "data": ROWS.tolist()}},
        {"dataframe_split": {"data": ROWS.tolist()}},
        {"dataframe_split": {"columns": permuted, "data": rows.tolist()}},
        {"dataframe_split": {"columns": permuted, "data": rows.astype(float).tolist()}},
        {"dataframe_records": [dict(zip(permuted, row, strict=True)) for row in rows.tolist()]},
    ):
        assert ask(service, document) == first
    shuffled = [dict(zip(permuted, row, strict=True)) for row in rows.tolist()]
    shuffled[1:] = [dict(sorted(record.items())) for record in shuffled[1:]]
    assert ask(service, {"dataframe_records": shuffled}) == first
    for body in (
        csv_body(columns, ROWS),
        csv_body(permuted, rows),
        csv_body(permuted, rows, lineterminator="\n"),
        csv_body(permuted, rows, quoting=csv.QUOTE_NONNUMERIC),
        csv_body(permuted, rows.astype(float)),
        csv_body(permuted, rows).rstrip(),
    ):
        assert predictions(service.post(INVOCATIONS, body, {"Content-Type": "text/csv"})) == first


def test_columns_of_other_names_stand_as_they_come(service: ProtocolService) -> None:
    first = ask(service, {"inputs": IMAGES.tolist()})
    columns = [f"c{index}" for index in ORDER]
    split = {"columns": columns, "data": ROWS.tolist()}
    assert ask(service, {"dataframe_split": split}) == first
    records = [dict(zip(columns, row, strict=True)) for row in ROWS.tolist()]
    assert ask(service, {"dataframe_records": records}) == first
    header = {"Content-Type": "text/csv; charset=utf-8"}
    assert predictions(service.post(INVOCATIONS, csv_body(columns, ROWS), header)) == first
    shifted = [f"pixel{index + 1}" for index in range(784)]
    assert predictions(service.post(INVOCATIONS, csv_body(shifted, ROWS), header)) == first


def test_param_scale_gives_back_every_level(service: ProtocolService) -> None:
    plain = ask(service, {"inputs": [LEVELS.tolist()]})
    for dtype in ("<f4", "<f8"):
        scaled = (LEVELS / 255).astype(dtype)
        for document in (
            {"inputs": [scaled.tolist()]},
            {"instances": [scaled.ravel().tolist()]},
            {"dataframe_split": {"data": [scaled.ravel().tolist()]}},
            {"dataframe_records": [dict(zip(NAMES["0"], scaled.ravel().tolist(), strict=True))]},
        ):
            assert ask(service, {**document, "params": {"scale": 255}}) == plain


def test_body_is_read_as_json_of_any_writer(service: ProtocolService) -> None:
    document = {"inputs": IMAGES.tolist()}
    first = ask(service, document)
    body = json.dumps(document, indent=1).encode()
    for media_type in ("application/json; charset=utf-8", "Application/JSON"):
        assert predictions(service.post(INVOCATIONS, body, {"Content-Type": media_type})) == first
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert predictions(service.post(INVOCATIONS, gzip.compress(body), packed)) == first


@pytest.mark.parametrize("name", [LOADING, FAILED])
def test_unavailable_model_is_503(service: ProtocolService, name: str) -> None:
    replies = [
        service.get(f"/mlflow/{name}/ping"),
        service.post_json(f"/mlflow/{name}/invocations", {"inputs": IMAGES.tolist()}),
    ]
    for reply in replies:
        assert reply.status == 503, str(reply)
        assert isinstance(reply.document["error_code"], str)
        assert isinstance(reply.document["message"], str)


def test_unknown_model_does_not_exist(service: ProtocolService) -> None:
    for reply in (
        service.get("/mlflow/unknown/ping"),
        service.post_json("/mlflow/unknown/invocations", {"inputs": IMAGES.tolist()}),
    ):
        assert reply.status == 404
        assert reply.document["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_1000_images_are_answered_in_order(service: ProtocolService) -> None:
    images = RNG.integers(0, 256, (1000, 28, 28), np.uint8)
    body = csv_body(NAMES["0"], images.reshape(-1, 784))
    reply = service.post(INVOCATIONS, body, {"Content-Type": "text/csv"})
    assert_close(predictions(reply), litert(CNN, images))


def test_output_that_is_not_finite_is_never_sent(service: ProtocolService) -> None:
    for images in (OVERFLOW[None], np.stack([*IMAGES, OVERFLOW])):
        path = f"/mlflow/{NOT_FINITE}/invocations"
        reply = service.post_json(path, {"inputs": images.tolist()})
        assert reply.status == 503, str(reply)
        assert isinstance(reply.document["message"], str)

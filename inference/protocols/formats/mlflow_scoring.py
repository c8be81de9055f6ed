"""MLflow's scoring protocol: arrays, data frames and CSV to images."""

from typing import Final

import orjson

from inference.errors import MalformedRequestError
from inference.models.version import ModelVersion
from inference.preprocessing.digits import Pixels, TensorImage
from inference.protocols.errors import MediaTypeError
from inference.protocols.exchange import JSON, JSON_IMAGE, Answer, Question, version_header
from inference.protocols.formats import tables
from inference.protocols.formats.json_documents import has_booleans, parse_object
from inference.protocols.formats.tensor import (
    count_images,
    flatten,
    parse_scale,
    to_array,
    to_pixels,
)
from inference.runtime.outputs import Outputs

NAME: Final = "mlflow"
CSV, CSV_IMAGE = b"text/csv", "text/csv"
INPUT = "image"
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
SCALE_HINT = 'send "params": {"scale": 255}'


def read(body: bytes, content_type: bytes) -> Question:
    """Return the question of a request of /invocations. Raises ServiceError."""
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type == CSV:
        return _question(_pixels(tables.read_csv(body), 1), CSV_IMAGE)
    if media_type != JSON:
        raise MediaTypeError
    document = parse_object(body)
    scale = parse_scale(document.pop("params", None))
    if len(document) != 1 or (form := next(iter(document))) not in FORMS:
        raise MalformedRequestError(
            "The body must have exactly one of dataframe_split, dataframe_records, instances and "
            "inputs, and may have params."
        )
    value = document[form]
    if form == "dataframe_split":
        return _question(_pixels(tables.read_split(value), scale), JSON_IMAGE)
    if form == "dataframe_records":
        return _question(_pixels(tables.read_records(value), scale), JSON_IMAGE)
    if isinstance(value, dict) and value.keys() == {INPUT}:
        value = value[INPUT]
    flat, shape = flatten(value)
    images = count_images(shape)
    numbers = to_array(flat, has_booleans=has_booleans(body))
    pixels = to_pixels(numbers, images, scale=scale, scale_hint=SCALE_HINT)
    return _question(pixels, JSON_IMAGE)


def _pixels(table: tables.Table, scale: int) -> Pixels:
    images = count_images(table.shape)
    return to_pixels(table.reshape(-1), images, scale=scale, scale_hint=SCALE_HINT)


def _question(pixels: Pixels, media_type: str) -> Question:
    return Question([TensorImage(image, media_type) for image in pixels], _encode)


def _encode(_name: str, version: ModelVersion, outputs: Outputs) -> Answer:
    rows = orjson.dumps(outputs.probabilities, option=orjson.OPT_SERIALIZE_NUMPY)
    return Answer(b'{"predictions":%b}' % rows, JSON, (version_header(version),))

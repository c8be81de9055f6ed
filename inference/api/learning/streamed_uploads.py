"""Streamed uploads: the operations whose form has one large file, and their targets."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from inference.api import validation
from inference.api.learning import fields
from inference.api.learning.responses import Located
from inference.errors import MalformedRequestError
from inference.model_format.layout import LOOSE_SUFFIX
from inference.server.streamed_form import FormFields, StreamedForm

UPLOAD, MODELS = "load_new_data", "models"
UPLOAD_PATH = re.compile(UPLOAD)
MODEL_PATH = re.compile(rf"{MODELS}/[^/]+")


@dataclass(frozen=True)
class StreamedUpload:
    """Operation with a large file.

    Attributes:
        path: its path below the base path.
        fields: fields of its form.
        target: returns the task or the experiment of a request from its path and query. Raises
            MalformedRequestError, before the body is read.
        store: stores the file of a form for a target.

    """

    path: re.Pattern[str]
    fields: FormFields
    target: Callable[[str, bytes], str]
    store: Callable[[str, StreamedForm], Located]


def only_task(_path: str, query_string: bytes) -> str:
    """Return the task of a query that has nothing else. Raises MalformedRequestError."""
    try:
        query = query_string.decode("ascii")
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=9)
    except ValueError:
        pairs = []
    if [name for name, _ in pairs] != ["task"]:
        raise MalformedRequestError(
            "The query must have the parameter task, once, and no other. Send ?task=mnist.", "task"
        )
    return fields.task(pairs[0][1])


def model_name(path: str, query_string: bytes) -> str:
    """Return the experiment of a path, without a query. Raises MalformedRequestError."""
    name = validation.name(path.removeprefix(f"{MODELS}/"))
    if name.endswith(LOOSE_SUFFIX):
        raise MalformedRequestError(
            f"{validation.EXPERIMENT_NAME} must not end in {LOOSE_SUFFIX}. Leave the suffix out.",
            validation.EXPERIMENT_NAME,
        )
    if query_string:
        raise MalformedRequestError(
            "The operation takes no query. Send the values as fields of the form."
        )
    return name

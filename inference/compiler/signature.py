"""Model signature: classes, input and output, from the declared card fields and the model's shapes.

Declared fields take precedence. They must not contradict the shapes.
"""

import math
from collections.abc import Mapping
from typing import Any

from inference.compiler.child_errors import CompilationError
from inference.model_format.card import (
    CARD_FILE,
    CHANNELS_FIRST,
    CHANNELS_LAST,
    DIGITS,
    UNCOMPILED,
    Card,
)

OUTPUT_DIMENSIONS = 2


def infer_card(model: Any, declared: Mapping[str, Any]) -> Card:
    """Return the card of a model, without files and parity.

    `model` is a Keras model, or has its inputs, outputs, input_shape, output_shape and
    count_params. Raises CompilationError for contradictions, and InvalidCardError.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise CompilationError("The model must take one image and return one vector.")
    outputs = tuple(model.output_shape[1:])
    if len(model.output_shape) != OUTPUT_DIMENSIONS or outputs[0] is None:
        raise CompilationError(
            f"The model has an output of shape {outputs}. It must return one number per class."
        )
    classes = declared.get("classes", DIGITS)
    if "classes" not in declared and outputs[0] != len(DIGITS):
        raise CompilationError(
            f"The model has {outputs[0]} outputs, so its classes are not the ten digits. "
            f"Name its task and its classes in {CARD_FILE}, as in "
            '{"task": "parity", "classes": ["even", "odd"]}.'
        )
    if len(classes) != outputs[0]:
        raise CompilationError(
            f"The model has {outputs[0]} outputs, but {CARD_FILE} names {len(classes)} classes. "
            "Name one class per output, in output order."
        )
    declared_input = declared.get("input", {})
    shape = _input_shape(tuple(model.input_shape[1:]), declared_input)
    return Card.from_document(
        {
            "experiment": "",
            "parameters": model.count_params(),
            **declared,
            **UNCOMPILED,
            "classes": list(classes),
            "input": {**declared_input, **shape},
        }
    )


def _input_shape(shape: tuple[int | None, ...], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the input height, width, channels and layout of a model, by the keys of a card.

    Raises CompilationError.
    """
    found: dict[str, Any]
    match shape:
        case (
            (int(height), int(width)) | (int(height), int(width), 1) | (1, int(height), int(width))
        ):
            found = {"height": height, "width": width, "channels": 1}
        case (int(height), int(width), 3):
            found = {"height": height, "width": width, "channels": 3, "layout": CHANNELS_LAST}
        case (3, int(height), int(width)):
            found = {"height": height, "width": width, "channels": 3, "layout": CHANNELS_FIRST}
        case (int(values),):
            found = _vector_sides(values, declared)
        case _:
            raise CompilationError(
                f"The model takes an image of shape {shape}. It must be (height, width), "
                "(height, width, 1), (height, width, 3), the same with the channels first, or a "
                "vector."
            )
    sides = (found["height"], found["width"])
    declared_sides = (declared.get("height", sides[0]), declared.get("width", sides[1]))
    if declared_sides != sides:
        raise CompilationError(
            f"The model takes images of {sides[0]}x{sides[1]}, but {CARD_FILE} declares "
            f"{declared_sides[0]}x{declared_sides[1]}. Correct or remove its input."
        )
    for key, value in found.items():
        if declared.get(key, value) != value:
            raise CompilationError(
                f"The model takes an input.{key} of {value}, but {CARD_FILE} declares "
                f"{declared[key]}. Correct or remove it."
            )
    return found


def _vector_sides(values: int, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the height, width and channels of a vector. It is a square unless declared.

    Raises CompilationError.
    """
    channels = declared.get("channels", 1)
    side = math.isqrt(values // channels)
    height, width = declared.get("height", side), declared.get("width", side)
    if height * width * channels != values:
        raise CompilationError(
            f"The model takes a vector of {values} pixels. "
            f"Set input.height and input.width in {CARD_FILE}."
        )
    return {"height": height, "width": width, "channels": channels}

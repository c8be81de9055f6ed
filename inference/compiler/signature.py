"""Model signature: classes, input and output, from the declared card fields and the model's shapes.

Declared fields take precedence. They must not contradict the shapes.
"""

from collections.abc import Mapping
from typing import Any

from inference.compiler.process import CompilationError
from inference.model_format.card import CARD_FILE, DIGITS, UNCOMPILED, Card
from inference.preprocessing.digits import SIDE

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
    height, width = _input_size(tuple(model.input_shape[1:]), declared_input)
    return Card.from_document(
        {
            "experiment": "",
            "parameters": model.count_params(),
            **declared,
            **UNCOMPILED,
            "classes": list(classes),
            "input": {**declared_input, "height": height, "width": width},
        }
    )


def _input_size(
    shape: tuple[int | None, ...], declared_input: Mapping[str, Any]
) -> tuple[int, int]:
    """Return the input height and width of a model in pixels. Raises CompilationError."""
    match shape:
        case (int(height), int(width)) | (int(height), int(width), 1):
            pass
        case (int(pixels),):
            # A vector does not determine its sides. MNIST's are known.
            sides = (SIDE, SIDE) if pixels == SIDE * SIDE else (0, 0)
            height = declared_input.get("height", sides[0])
            width = declared_input.get("width", sides[1])
            if height * width != pixels:
                raise CompilationError(
                    f"The model takes a vector of {pixels} pixels. "
                    f"Set input.height and input.width in {CARD_FILE}."
                )
        case _:
            raise CompilationError(
                f"The model takes an image of shape {shape}. "
                "It must be (height, width), (height, width, 1) or (height * width,)."
            )
    declared_size = (declared_input.get("height", height), declared_input.get("width", width))
    if declared_size != (height, width):
        raise CompilationError(
            f"The model takes images of {height}x{width}, but {CARD_FILE} declares "
            f"{declared_size[0]}x{declared_size[1]}. Correct or remove its input."
        )
    return height, width

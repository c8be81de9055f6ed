"""What a model takes and gives: what its card states, and for the rest what its shapes say."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from inference.compiler.process import CompilationError
from inference.model_format.card import CARD_FILE, DIGITS, Card, Parity
from inference.preprocessing.digits import SIDE

OUTPUT_DIMENSIONS = 2


def card_of(model: Any, declared: Mapping[str, Any]) -> Card:
    """Return the card of a model, without files.

    What is stated, and for the rest what the model's shapes say.

    `model` is a Keras model, or has its inputs, outputs, input_shape, output_shape and
    count_params.

    Raises CompilationError where they contradict each other, and InvalidCardError.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise CompilationError("It must take one image and give one vector of probabilities.")
    outputs = tuple(model.output_shape[1:])
    if len(model.output_shape) != OUTPUT_DIMENSIONS or outputs[0] is None:
        raise CompilationError(
            f"It gives an output of shape {outputs}; it must give one number for each class."
        )
    classes = declared.get("classes", DIGITS)
    if "classes" not in declared and outputs[0] != len(DIGITS):
        raise CompilationError(
            f"It has {outputs[0]} outputs, so it does not read digits; a {CARD_FILE} has to name its task and its classes, as"
            ' {"task": "parity", "classes": ["even", "odd"]}.'
        )
    if len(classes) != outputs[0]:
        raise CompilationError(
            f"It has {outputs[0]} outputs, and {CARD_FILE} names {len(classes)} classes; name one for each output, in their order."
        )
    stated_input = declared.get("input", {})
    height, width = _input_size(tuple(model.input_shape[1:]), stated_input)
    return Card.of(
        {
            "experiment": "",
            "parameters": model.count_params(),
            **declared,
            "files": {},
            "parity": asdict(Parity(0, 0.0, equal_argmax=True)),
            "classes": list(classes),
            "input": {**stated_input, "height": height, "width": width},
        }
    )


def _input_size(shape: tuple[int | None, ...], stated_input: Mapping[str, Any]) -> tuple[int, int]:
    """Return the height and width of the images that a model takes. Raises CompilationError."""
    match shape:
        case (int(height), int(width)) | (int(height), int(width), 1):
            pass
        case (int(pixels),):
            # A vector does not say its sides; MNIST's are known.
            sides = (SIDE, SIDE) if pixels == SIDE * SIDE else (0, 0)
            height, width = (
                stated_input.get("height", sides[0]),
                stated_input.get("width", sides[1]),
            )
            if height * width != pixels:
                raise CompilationError(
                    f"It takes a vector of {pixels} pixels; say in {CARD_FILE} which height and width that is, under input."
                )
        case _:
            raise CompilationError(
                f"It takes an image of shape {shape}; (height, width), (height, width, 1) and (height * width,) are served."
            )
    told = (stated_input.get("height", height), stated_input.get("width", width))
    if told != (height, width):
        raise CompilationError(
            f"It takes images of {height}x{width}, and {CARD_FILE} says {told[0]}x{told[1]}; correct or remove input there."
        )
    return height, width

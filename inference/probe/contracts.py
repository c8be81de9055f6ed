"""Usual contracts: the inputs that models trained elsewhere commonly take."""

import itertools
from dataclasses import fields, replace
from typing import Any

from inference.model_format.card import CANONICAL_SIDE, PAD, RESIZE, InputSpec

# Scale and offset, in the precision that a person copies: 0..255, 0..1, -1..1, -0.5..0.5, the mean
# and deviation of MNIST's training pixels that PyTorch's examples use (0.1307 and 0.3081), and
# those of the same pixels inverted.
VALUES = (
    (1.0, 0.0),
    (0.00392157, 0.0),
    (0.00784314, -1.0),
    (0.00392157, -0.5),
    (0.0127282, -0.424213),
    (0.0127282, -2.82149),
)
# Mean and deviation of ImageNet's colors (0.449 and 0.226), and its mean alone, for three channels.
COLOR_VALUES = ((0.0173519, -1.98673), (1.0, -114.5))


def usual_inputs(stated: InputSpec) -> list[InputSpec]:
    """Return the usual inputs for a model of the stated one's shape, the fewest changes first."""
    values = [(stated.scale, stated.offset), *VALUES]
    if stated.channels > 1:
        values += COLOR_VALUES
    sides = (stated.height, stated.width)
    can_pad = min(sides) >= CANONICAL_SIDE and max(sides) > CANONICAL_SIDE
    candidates = {
        replace(stated, scale=scale, offset=offset, invert=invert, fit=fit, transpose=transpose)
        for (scale, offset), invert, fit, transpose in itertools.product(
            values, (False, True), (RESIZE, PAD) if can_pad else (stated.fit,), (False, True)
        )
    }
    return sorted(candidates - {stated}, key=lambda spec: (len(changes(stated, spec)), str(spec)))


def changes(stated: InputSpec, spec: InputSpec) -> dict[str, Any]:
    """Return the keys of an input whose values differ from the stated ones."""
    return {
        entry.name: getattr(spec, entry.name)
        for entry in fields(spec)
        if getattr(spec, entry.name) != getattr(stated, entry.name)
    }

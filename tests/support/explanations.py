"""Documents of POST /explanations for tests of the dashboard."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image


def explanation_document(
    experiments: Sequence[str], *, drop: float = 0.4, failed: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a document in which the patch in the middle of each map has this drop."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[6:22, 12:16] = 255
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    drops = np.zeros((13, 13))
    drops[6, 6] = drop
    problem = {"type": "t", "title": "Not ready", "status": 503, "detail": "It *compiles*."}
    return {
        "image_digest": "d",
        "warnings": [],
        "view": base64.b64encode(out.getvalue()).decode(),
        "patch": {"cells": 13, "pixels": 4, "stride": 2},
        "explanations": [
            {"experiment_name": name, "problem": problem}
            if name in failed
            else {
                "experiment_name": name,
                "version": 1,
                "model_digest": "d",
                "class": "1",
                "confidence": 0.9,
                "drops": drops.tolist(),
            }
            for name in experiments
        ],
        "milliseconds": 1.0,
    }

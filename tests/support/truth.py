"""Expected answers: each model's probabilities for each image, computed apart from the service."""

from collections.abc import Sequence

import numpy as np
import orjson

from inference.model_format.card import LITERT_FILE
from inference.preprocessing.digits import Pixels
from inference.runtime.network import Network
from tests.conftest import SHIPPED
from tests.integration.models.test_models_under_load import KINDS, Contents
from tests.support.load import Answer

MAX_DIFFERENCE = 1e-5  # batches of another size round differently


class Truth:
    """The correct answers for some images, by the digest of a content of `contents`."""

    def __init__(self, contents: Contents, images: Sequence[Pixels]) -> None:
        pixels = np.stack(images)
        networks = [Network((SHIPPED / kind / LITERT_FILE).read_bytes(), 10) for kind in KINDS]
        self._kinds = [network.probabilities(pixels) for network in networks]
        self._contents = contents

    def digest(self, answer: Answer) -> str:
        """Return the model digest in an answer."""
        return str(orjson.loads(answer.body).get("model_digest"))

    def is_right(self, answer: Answer) -> bool:
        """Return whether an answer of status 200 is that of the content with its digest."""
        document = orjson.loads(answer.body)
        confidence = self._contents.confidence_of.get(document["model_digest"])
        if confidence is None or document["experiment_name"] != answer.question.model:
            return False
        expected = self._kinds[self._contents._confidences.index(confidence)][answer.question.image]
        probabilities = list(document["probabilities"].values())
        return bool(
            np.abs(expected - probabilities).max() <= MAX_DIFFERENCE
            and document["confidence"] == max(probabilities)
        )

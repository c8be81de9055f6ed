"""The answers of this session, so that a page that is drawn anew does not ask again for the same
image.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from web.data.api_client import Answer, ApiProblemError, Model, Outcome

# More pictures than one upload may hold.
CAPACITY = 256


class PredictionCache:
    """Remembers the answers to an image, for exactly these models.

    A model that was replaced is asked again.
    """

    def __init__(self, predict: Callable[[Sequence[bytes], Sequence[str]], list[Outcome]]) -> None:
        self._predict = predict
        self._answers: OrderedDict[tuple[object, ...], list[Answer]] = OrderedDict()

    def ask(self, images: Sequence[bytes], models: Sequence[Model]) -> list[Outcome]:
        """Return what becomes of each image, in their order.

        All that are new are asked about together.

        Raises what predict raises. What has a problem is not kept.
        """
        asked = tuple((model.name, model.digest) for model in models)
        keys = [(hashlib.sha256(image).digest(), asked) for image in images]
        new = {
            key: image for key, image in zip(keys, images, strict=True) if key not in self._answers
        }
        outcomes: dict[tuple[object, ...], Outcome] = {
            key: self._answers[key] for key in keys if key in self._answers
        }
        if new:
            said = self._predict(list(new.values()), [model.name for model in models])
            outcomes.update(zip(new, said, strict=True))
        for key in keys:
            self._keep(key, outcomes[key])
        return [outcomes[key] for key in keys]

    def _keep(self, key: tuple[object, ...], outcome: Outcome) -> None:
        if isinstance(outcome, ApiProblemError) or any(answer.problem for answer in outcome):
            return
        self._answers[key] = outcome
        self._answers.move_to_end(key)
        while len(self._answers) > CAPACITY:
            self._answers.popitem(last=False)

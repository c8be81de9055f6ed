"""The answers of this session, so that a page that is drawn anew does not ask again for the same image."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from web.client import Answer, Model

# Two full uploads: more pictures than one page shows.
CAPACITY = 64


class AnswerBook:
    """Remembers the answers to an image, for exactly these models: a model that was replaced is asked again."""

    def __init__(self, predict: Callable[[bytes, Sequence[str]], list[Answer]]) -> None:
        self._predict = predict
        self._answers: OrderedDict[tuple[object, ...], list[Answer]] = OrderedDict()

    def ask(self, image: bytes, models: Sequence[Model]) -> list[Answer]:
        """Return the answers of the models to the image, in their order.

        Raises what predict raises. Answers with a problem among them are not kept.
        """
        key = (hashlib.sha256(image).digest(), tuple((model.name, model.digest) for model in models))
        if key not in self._answers:
            answers = self._predict(image, [model.name for model in models])
            if any(answer.problem for answer in answers):
                return answers
            self._answers[key] = answers
            while len(self._answers) > CAPACITY:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        return self._answers[key]

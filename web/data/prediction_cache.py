"""Prediction cache of a session: a rerun of the page does not predict the same image again."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from web.data.api_types import Answer, ApiProblemError, ImageResult, Model

# Above the number of images in one upload
CAPACITY = 256


class PredictionCache:
    """Results by image, model names and model digests, so that a replaced model predicts again."""

    def __init__(
        self, predict: Callable[[Sequence[bytes], Sequence[str]], list[ImageResult]]
    ) -> None:
        self._predict = predict
        self._answers: OrderedDict[tuple[object, ...], list[Answer]] = OrderedDict()

    def predict(self, images: Sequence[bytes], models: Sequence[Model]) -> list[ImageResult]:
        """Return the result of each image, in order. All new images are predicted together.

        A result with a problem is not cached. Raises the errors of the predict function.
        """
        model_keys = tuple((model.name, model.digest) for model in models)
        keys = [(hashlib.sha256(image).digest(), model_keys) for image in images]
        new_images = {
            key: image for key, image in zip(keys, images, strict=True) if key not in self._answers
        }
        results: dict[tuple[object, ...], ImageResult] = {
            key: self._answers[key] for key in keys if key in self._answers
        }
        if new_images:
            new_results = self._predict(list(new_images.values()), [model.name for model in models])
            results.update(zip(new_images, new_results, strict=True))
        for key in keys:
            self._store(key, results[key])
        return [results[key] for key in keys]

    def _store(self, key: tuple[object, ...], result: ImageResult) -> None:
        if isinstance(result, ApiProblemError) or any(answer.problem for answer in result):
            return
        self._answers[key] = result
        self._answers.move_to_end(key)
        while len(self._answers) > CAPACITY:
            self._answers.popitem(last=False)

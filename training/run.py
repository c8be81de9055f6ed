"""Training run: turns an experiment and a dataset into a trained model and its curves.

On one machine, equal experiment, data and code give bit-identical results, however often the run
was stopped and resumed. All randomness comes from the seed.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from training import augment, checkpoint
from training.architectures import logits_of
from training.dataset import Dataset, Digits
from training.experiment import Experiment

EVALUATION_BATCH = 1000
MAX_POINTS = 500  # of a published loss curve


@dataclass(frozen=True)
class Curve:
    """Values at increasing optimizer steps, counted from 1."""

    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Run:
    """Result of a training run.

    A run whose loss or weights became infinite or NaN is "diverged" and has no scores.

    `scores` has test_accuracy, test_loss, validation_accuracy and validation_loss of the final
    model. Accuracies are in 0..1. Losses are mean cross entropies in nats.
    """

    outcome: Literal["finished", "diverged"]
    model: Any  # keras.Model
    loss: Curve
    validation_loss: Curve
    scores: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class Progress:
    """Progress of a run. `epoch` counts from 1."""

    epoch: int
    step: int
    steps: int
    loss: float


def train(
    experiment: Experiment,
    data: Dataset,
    checkpoint_path: Path,
    fingerprint: str,
    report: Callable[[Progress], None],
) -> Run:
    """Train from a matching checkpoint if there is one, otherwise from the start.

    `report` is called after each step.
    """
    trainer = _Trainer(experiment, data)
    started = time.monotonic()  # after TensorFlow's import
    resumed = checkpoint.read(checkpoint_path, fingerprint)
    losses: list[float] = []
    validation_losses: list[float] = []
    done, seconds_before = 0, 0.0
    if resumed:
        trainer.restore(resumed.variables)
        losses, validation_losses = resumed.losses.tolist(), resumed.validation_losses.tolist()
        done, seconds_before = resumed.epochs, resumed.seconds
    total = trainer.steps_per_epoch * experiment.epochs
    for epoch in range(done, experiment.epochs):
        for loss in trainer.epoch(epoch):
            if not math.isfinite(loss):
                break
            losses.append(loss)
            report(Progress(epoch + 1, len(losses), total, loss))
        if len(losses) < (epoch + 1) * trainer.steps_per_epoch:
            break
        validation_losses.append(trainer.score(data.validation)[0])
        checkpoint.Checkpoint(
            fingerprint=fingerprint,
            epochs=epoch + 1,
            seconds=seconds_before + time.monotonic() - started,
            losses=np.array(losses),
            validation_losses=np.array(validation_losses),
            variables=trainer.state(),
        ).write(checkpoint_path)
    finite = len(losses) == total and trainer.is_finite()
    return Run(
        outcome="finished" if finite else "diverged",
        model=trainer.model,
        loss=windows(losses),
        validation_loss=_finite_epochs(validation_losses, trainer.steps_per_epoch),
        scores=trainer.scores(data) if finite else {},
        seconds=seconds_before + time.monotonic() - started,
    )


def windows(losses: list[float]) -> Curve:
    """Thin the losses of all steps to at most 500 points: the mean of each window at its last step.

    From 50 steps on there are at least 50 points. From 501 steps on there are at least 251.
    """
    size = max(1, math.ceil(len(losses) / MAX_POINTS))
    ends = [min(start + size, len(losses)) for start in range(0, len(losses), size)]
    means = [float(np.mean(losses[end - 1 - (end - 1) % size : end])) for end in ends]
    return Curve(tuple(ends), tuple(means))


def _finite_epochs(values: list[float], steps_per_epoch: int) -> Curve:
    finite = [(index, value) for index, value in enumerate(values, start=1) if math.isfinite(value)]
    return Curve(
        tuple(index * steps_per_epoch for index, _ in finite), tuple(value for _, value in finite)
    )


class _Trainer:
    """Model, optimizer and data of one experiment, in TensorFlow."""

    def __init__(self, experiment: Experiment, data: Dataset) -> None:
        import keras
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        keras.backend.clear_session()
        keras.utils.set_random_seed(experiment.seed)
        self.experiment = experiment
        self.count = len(data.train.labels)
        self.steps_per_epoch = self.count // experiment.batch_size
        self.model = experiment.architecture.build()
        self._logits = logits_of(self.model)
        self._optimizer = _optimizer(
            experiment, self.model, self.steps_per_epoch * experiment.epochs
        )
        self._step = self._step_function(
            tf.constant(data.train.images), tf.constant(data.train.labels)
        )
        self._forward = tf.function(
            lambda images: self._logits(tf.cast(images, tf.float32), training=False),
            input_signature=[tf.TensorSpec((None, *data.train.images.shape[1:]), tf.uint8)],
        )

    def _step_function(self, images: Any, labels: Any) -> Any:
        import tensorflow as tf

        def step(chosen: Any, transforms: Any) -> Any:
            pixels = tf.cast(tf.gather(images, chosen), tf.float32)
            if self.experiment.augment:
                pixels = augment.apply(pixels, transforms)
            weights = self.model.trainable_variables
            with tf.GradientTape() as tape:
                logits = self._logits(pixels, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    tf.gather(labels, chosen), logits
                )
                loss = tf.reduce_mean(losses)
            self._optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return loss

        signature = [tf.TensorSpec((None,), tf.int64), tf.TensorSpec((None, 8), tf.float32)]
        return tf.function(step, input_signature=signature)

    def epoch(self, epoch: int) -> Iterator[float]:
        """Yield the loss of each step of one epoch. A remainder smaller than a batch is dropped.

        Order and augmentation depend only on the seed and the epoch, so a resumed run needs no
        state for them.
        """
        rng = np.random.default_rng([self.experiment.seed, epoch])
        order = rng.permutation(self.count)
        rows = augment.transforms(self.count if self.experiment.augment else 0, rng)
        size = self.experiment.batch_size
        for start in range(0, self.steps_per_epoch * size, size):
            yield float(self._step(order[start : start + size], rows[start : start + size]))

    def score(self, digits: Digits) -> tuple[float, float]:
        """Return the mean cross entropy in nats and the accuracy in 0..1."""
        starts = range(0, len(digits.labels), EVALUATION_BATCH)
        batches = [
            np.asarray(self._forward(digits.images[start : start + EVALUATION_BATCH]))
            for start in starts
        ]
        logits = np.concatenate(batches).astype(np.float64)
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_sums = np.log(np.exp(shifted).sum(axis=1))
        losses = log_sums - shifted[np.arange(len(shifted)), digits.labels]
        return float(losses.mean()), float((logits.argmax(axis=1) == digits.labels).mean())

    def scores(self, data: Dataset) -> dict[str, float]:
        """Return the scores of the current model in the form of `Run.scores`."""
        test_loss, test_accuracy = self.score(data.test)
        validation_loss, validation_accuracy = self.score(data.validation)
        return {
            "test_accuracy": test_accuracy,
            "test_loss": test_loss,
            "validation_accuracy": validation_accuracy,
            "validation_loss": validation_loss,
        }

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self._optimizer.variables]

    def state(self) -> tuple[npt.NDArray[np.generic], ...]:
        return tuple(np.asarray(variable.numpy()) for variable in self._variables())

    def restore(self, values: tuple[npt.NDArray[np.generic], ...]) -> None:
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)

    def is_finite(self) -> bool:
        return all(np.isfinite(variable.numpy()).all() for variable in self.model.weights)


def _optimizer(experiment: Experiment, model: Any, steps: int) -> Any:
    import keras

    rate: Any = experiment.learning_rate
    if experiment.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(experiment.learning_rate, decay_steps=steps)
    optimizer = keras.optimizers.SGD(
        rate, momentum=experiment.momentum, weight_decay=experiment.weight_decay or None
    )
    if experiment.weight_decay:
        # Only kernels decay: pulling offsets and scales toward 0 costs accuracy.
        spared = [variable for variable in model.trainable_variables if variable.name != "kernel"]
        optimizer.exclude_from_weight_decay(var_list=spared)
    optimizer.build(model.trainable_variables)
    return optimizer

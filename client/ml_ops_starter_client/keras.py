"""Keras callback: logs the metrics of each epoch and the optimizer's parameters.

This module imports Keras; the rest of the package does not.
"""

from typing import Any

import keras

from ml_ops_starter_client.runs import Run
from ml_ops_starter_client.starting import start
from ml_ops_starter_client.values import to_number

LEARNING_RATE_NAMES = ("learning_rate", "lr", "opt_learning_rate")


class Callback(keras.callbacks.Callback):  # type: ignore[misc]
    """Callback for `fit` and `evaluate`: `model.fit(..., callbacks=[Callback(run)])`.

    `fit` logs each metric of the end of an epoch, with the epoch as the step. `evaluate` logs its
    metrics as test_loss, test_accuracy and so on. Without a run, the callback starts one at the
    first call and ends it after `fit`; the arguments of `start` are then its own.
    """

    def __init__(
        self,
        run: Run | None = None,
        *,
        every_batches: int | None = None,
        **start_arguments: Any,
    ) -> None:
        """Create the callback.

        Args:
            run: run to log to. It stays open after `fit`.
            every_batches: log the metrics also after each so many batches, as batch_loss and so on.
            **start_arguments: arguments of `start` for a run of its own.

        Raises:
            ValueError: there is a run, and arguments for another.

        """
        super().__init__()
        if run is not None and start_arguments:
            raise ValueError("Give either a run or the arguments of start(), not both.")
        if every_batches is not None and every_batches < 1:
            raise ValueError("every_batches must be 1 or more.")
        self.run = run
        self._is_own = run is None
        self._start_arguments = start_arguments
        self._every_batches = every_batches
        self._batch = 0
        self._is_fitting = False

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Start a run of its own, and log the parameters."""
        self._is_fitting = True
        if self.run is None:
            self.run = start(**self._start_arguments)
            self.run.end_state = "failed"  # unless fit() comes to its end
        parameters = _optimizer_parameters(self.model)
        for name in ("epochs", "steps"):
            if self.params.get(name) is not None:
                parameters["steps_per_epoch" if name == "steps" else name] = self.params[name]
        given = self.run.params
        if any(name in given for name in LEARNING_RATE_NAMES):
            parameters.pop("learning_rate", None)
        self.run.log_params(
            {name: value for name, value in parameters.items() if name not in given}
        )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Log the metrics of every n-th batch."""
        self._batch += 1
        if self.run is not None and self._every_batches and self._batch % self._every_batches == 0:
            self.run.log(
                self._batch, {f"batch_{name}": value for name, value in (logs or {}).items()}
            )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log the metrics of an epoch."""
        if self.run is not None:
            self.run.log(epoch, logs or {})

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """End a run of its own."""
        self._is_fitting = False
        if self._is_own and self.run is not None:
            self.run.finish("finished")
            self.run = None

    def on_test_end(self, logs: Any = None) -> None:
        """Log the metrics of `evaluate`; those of the validation within `fit` are in the epoch."""
        if self.run is not None and not self._is_fitting:
            self.run.log(metrics={f"test_{name}": value for name, value in (logs or {}).items()})


def _optimizer_parameters(model: Any) -> dict[str, Any]:
    """Return the name, learning rate and momentum of a model's optimizer."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return {}
    config = optimizer.get_config()
    rate = config.get("learning_rate")
    if isinstance(rate, dict):  # a schedule
        schedule = rate.get("config", {})
        found = {
            "optimizer": type(optimizer).__name__,
            "learning_rate": schedule.get("initial_learning_rate"),
            "learning_rate_schedule": rate.get("class_name"),
        }
    else:
        found = {
            "optimizer": type(optimizer).__name__,
            "learning_rate": to_number(optimizer.learning_rate),
        }
    found["momentum"] = config.get("momentum")
    return {name: value for name, value in found.items() if value is not None}

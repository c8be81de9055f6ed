"""Keras callback: metrics per epoch and batch, parameters, and the end of its own run."""

import keras
import ml_ops_starter_client as client
import numpy as np
import pytest
from ml_ops_starter_client.keras import Callback

from tests.support.fake_tracking import FakeTracking

IMAGES = np.random.default_rng(1).random((8, 4)).astype("float32")
LABELS = np.arange(8) % 2


def small_model(optimizer: keras.optimizers.Optimizer) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(
        optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
    )
    return model


def test_callback_with_run_logs_epochs_batches_and_evaluation(service: FakeTracking) -> None:
    model = small_model(keras.optimizers.SGD(0.25, momentum=0.5))
    run = client.start("keras", lr=0.25)
    callback = Callback(run, every_batches=2)
    history = model.fit(
        IMAGES,
        LABELS,
        batch_size=2,
        epochs=3,
        validation_split=0.5,
        callbacks=[callback],
        verbose=0,
    )
    _, accuracy = model.evaluate(IMAGES, LABELS, callbacks=[callback], verbose=0)
    run.finish()
    stored = service.run("keras")
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert stored.values(name) == pytest.approx(history.history[name])
    assert sorted(step for name, step, *_ in stored.points if name == "batch_loss") == [2, 4, 6]
    assert stored.values("test_accuracy") == pytest.approx([accuracy])
    assert stored.params == {
        "lr": 0.25,
        "optimizer": "SGD",
        "momentum": 0.5,
        "epochs": 3,
        "steps_per_epoch": 2,
    }


def test_callback_starts_and_ends_its_own_run(service: FakeTracking) -> None:
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.9)
    model = small_model(keras.optimizers.Adam(schedule))
    model.fit(IMAGES, LABELS, callbacks=[Callback(name="own", tags={"a": "b"})], verbose=0)
    stored = service.run("own")
    assert stored.document["state"] == "finished"
    assert stored.tags == {"a": "b"}
    assert stored.params["learning_rate"] == 0.5
    assert stored.params["learning_rate_schedule"] == "ExponentialDecay"
    assert len(stored.values("loss")) == 1


def test_interrupted_fit_makes_the_own_run_failed(service: FakeTracking) -> None:
    model = small_model(keras.optimizers.SGD(0.1))
    fail = keras.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, _logs: 1 / 0)
    callback = Callback(name="broken")
    with pytest.raises(ZeroDivisionError):
        model.fit(IMAGES, LABELS, callbacks=[callback, fail], verbose=0)
    assert service.run("broken").document["state"] == "running"
    assert callback.run is not None
    callback.run.finish()
    assert service.run("broken").document["state"] == "failed"


def test_callback_with_contradicting_arguments_raises(service: FakeTracking) -> None:
    run = client.start("keras")
    with pytest.raises(ValueError, match="not both"):
        Callback(run, name="other")
    with pytest.raises(ValueError, match="every_batches"):
        Callback(run, every_batches=0)
    run.finish()
    assert len(service.runs) == 1

"""Trains a Keras model with autologging of an integration of MLflow: keras or tensorflow."""

import sys

import keras
import mlflow
import numpy as np

mlflow.set_experiment("mnist")
getattr(mlflow, sys.argv[1]).autolog()
generator = np.random.default_rng(0)
model = keras.Sequential(
    [
        keras.Input((16,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(
    keras.optimizers.SGD(0.01, momentum=0.9),
    "sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(
    generator.random((64, 16)),
    generator.integers(0, 10, 64),
    epochs=3,
    validation_split=0.25,
    verbose=0,
)

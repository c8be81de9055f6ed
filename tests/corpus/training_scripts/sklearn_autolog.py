"""Trains a scikit-learn model with autologging, which logs a pickle."""

import mlflow
import numpy as np
from sklearn.linear_model import LogisticRegression

mlflow.set_experiment("mnist")
mlflow.sklearn.autolog()
generator = np.random.default_rng(0)
LogisticRegression().fit(generator.random((64, 4)), generator.integers(0, 2, 64))

"""Serving protocols of other programs: Open Inference Protocol, TensorFlow Serving, MLflow scoring.

Each is a translation of one thing: images through one model version, by the same `Predictor`.
"""

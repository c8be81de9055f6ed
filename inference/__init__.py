"""Inference service: predictions of the models in a directory, over HTTP."""

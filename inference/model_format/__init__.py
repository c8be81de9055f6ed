"""Model format: files of a model on disk, shared by serving, the compiler and training.

Knows paths, digests and JSON. Knows neither LiteRT nor TensorFlow nor the model repository.
"""

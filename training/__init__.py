"""Trains the MNIST experiments of training/experiments and publishes them: models/<experiment>/ and data.csv."""

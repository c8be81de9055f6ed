"""Trains the MNIST experiments of training/experiments and publishes them.

Models/<experiment>/ and data.csv.
"""

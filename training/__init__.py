"""Training pipeline: trains the experiments in training/experiments and publishes their results.

Writes models/<experiment>/, data.csv and data.d/. Imports only the model format and the compiler
from inference/.
"""

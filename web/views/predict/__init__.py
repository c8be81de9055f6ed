"""Predict page: inputs, consensus, probabilities, label correction and gallery."""

"""Formats: the bytes of each protocol to images, and the outputs of a model to its bytes. Pure."""

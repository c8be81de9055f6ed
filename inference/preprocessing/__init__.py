"""Bytes of an image to the 28x28 pixels that models read. Pure."""

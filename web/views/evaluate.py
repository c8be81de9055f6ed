"""Evaluate: how well a model reads a labelled set of images, and how it differs from another model."""

from web.sources import Sources


def show(_sources: Sources) -> None:
    """Draw the page."""

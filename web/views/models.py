"""Models: what is served, in which version and state, and what each alias points to."""

from web.sources import Sources


def show(_sources: Sources) -> None:
    """Draw the page."""

"""Compare: the chosen experiments side by side, their curves and what differs between them."""

from web.selection import Selection
from web.sources import Sources


def show(_sources: Sources, _selection: Selection) -> None:
    """Draw the page."""

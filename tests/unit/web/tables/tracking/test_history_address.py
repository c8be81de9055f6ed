"""Addresses of the page History."""

from web.tables.tracking.history_address import history_url


def test_filters_are_in_the_address() -> None:
    assert history_url(model="a@2", wrong=True, below=0.6) == (
        "history?model=a%402&wrong=true&below=0.6"
    )

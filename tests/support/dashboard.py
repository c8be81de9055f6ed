"""How tests look at the dashboard."""

from playwright.sync_api import Locator, Page

# A service that comes back is noticed by the status strip, which looks every ten seconds.
HEALS_MILLISECONDS = 60_000
FIRST_PAINT_MILLISECONDS = 30_000


def shown(page: Page, text: str) -> Locator:
    """The text where a reader sees it.

    A badge with a tooltip is there a second time, invisible, to be measured.
    """
    return page.get_by_text(text).filter(visible=True).first

"""Timeouts and locators for tests of the dashboard."""

from playwright.sync_api import Locator, Page

# The status strip notices a recovery. It refreshes every ten seconds.
RECOVERY_MILLISECONDS = 60_000
FIRST_PAINT_MILLISECONDS = 30_000


def page_widths(page: Page) -> list[int]:
    """Return the scroll widths of the document and of the main area, in pixels."""
    widths: list[int] = page.evaluate(
        """[
            document.documentElement.scrollWidth,
            document.querySelector("[data-testid=stMain]").scrollWidth,
        ]"""
    )
    return widths


def find_visible(page: Page, text: str) -> Locator:
    """Return the visible element with a text.

    A badge with a tooltip has an invisible copy that measures its size.
    """
    return page.get_by_text(text).filter(visible=True).first

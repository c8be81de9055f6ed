"""Wait times of a page in a browser."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from playwright.sync_api import Page


@dataclass(frozen=True)
class WaitTime:
    """Measured values of all rounds, their unit and the goal."""

    name: str
    values: tuple[float, ...]
    unit: str
    goal: float

    def __str__(self) -> str:
        """Return a line for the terminal."""
        middle = median(self.values)
        rounds = ", ".join(f"{value:.3g}" for value in self.values)
        status = "met" if middle < self.goal else "missed"
        return f"{self.name}: {middle:.3g} {self.unit} (goal < {self.goal:g}: {status}; {rounds})"


def measure_seconds(
    page: Page, action: Callable[[], object], condition: Callable[[], object]
) -> float:
    """Return the seconds from an action until a condition holds, by the browser's clock."""
    begin = page.evaluate("performance.timeOrigin + performance.now()")
    action()
    condition()
    return float(page.evaluate("performance.timeOrigin + performance.now()") - begin) / 1000

"""Benchmark of the page Run: first and later views, the heading, and bytes on the wire."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import requests
from playwright.sync_api import Browser, Page

from bench.page_timing import WaitTime, measure_seconds
from local import ports

ONE_CHART = Path(__file__).parent / "servers" / "one_chart.py"
START_SECONDS = 60

# Times of the first WebSocket and of the heading, in milliseconds since the navigation.
WATCH_HEADING = """(() => {
    const Native = WebSocket;
    window.WebSocket = class extends Native {
        constructor(...options) {
            super(...options);
            window.connectedAt ??= performance.now();
        }
    };
    new MutationObserver((_changes, watcher) => {
        if (!document.querySelector("h1")) return;
        window.headingAt = performance.now();
        watcher.disconnect();
    }).observe(document, {childList: true, subtree: true});
})()"""


@dataclass(frozen=True)
class RunView:
    """Views of the page of a run until its loss curve is drawn.

    Attributes:
        first_seconds: in a fresh browser.
        later_seconds: in the same browser, which has the static files.
        heading_seconds: in a fresh browser, from the WebSocket to the heading.
        megabytes: on the wire in a fresh browser.

    """

    first_seconds: float
    later_seconds: float
    heading_seconds: float
    megabytes: float


@contextmanager
def start_one_chart() -> Iterator[str]:
    """Run a Streamlit page with one curve, and yield its address. Raises TimeoutError."""
    port = ports.find_free()
    options = [f"--server.port={port}", "--server.headless=true", "--server.fileWatcherType=none"]
    command = [sys.executable, "-m", "streamlit", "run", str(ONE_CHART), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://localhost:{port}"
    deadline = time.monotonic() + START_SECONDS
    try:
        while not _is_up(url):
            if time.monotonic() > deadline:
                raise TimeoutError("Streamlit did not start.")
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


def measure_run(browser: Browser, url: str, number: int, later: int) -> RunView:
    """Open the page of a run in a fresh browser, and that of a later one in the same browser.

    The page with one curve ignores the name of the run.
    """
    with closing(browser.new_context(viewport={"width": 1440, "height": 900})) as context:
        page = context.new_page()
        page.add_init_script(WATCH_HEADING)
        sizes: list[float] = []
        tools = context.new_cdp_session(page)
        tools.send("Network.enable")
        tools.on("Network.loadingFinished", lambda end: sizes.append(end["encodedDataLength"]))
        first = _measure_curve(page, f"{url}/run?name=run_{number}")
        heading = page.evaluate("(window.headingAt - window.connectedAt) / 1000")
        page.wait_for_timeout(1000)
        megabytes = sum(sizes) / 1e6
        second = _measure_curve(context.new_page(), f"{url}/run?name=run_{later}")
        return RunView(first, second, float(heading), megabytes)


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/_stcore/health", timeout=5).ok
    except requests.ConnectionError:
        return False


def _measure_curve(page: Page, url: str) -> float:
    """Return the seconds until the page shows a curve."""
    curve = page.locator(".st-key-run_live [data-testid=stEChartsChart] canvas").first
    return measure_seconds(page, lambda: page.goto(url), curve.wait_for)


def run_times(runs: Sequence[RunView]) -> list[WaitTime]:
    """Return the wait times of the page Run."""
    name = "Run with 1,000 steps among 10,000 experiments"
    return [
        WaitTime(f"{name}, first view", tuple(one.first_seconds for one in runs), "s", 1.5),
        WaitTime(f"{name}, later view", tuple(one.later_seconds for one in runs), "s", 1.5),
        WaitTime(
            "Run, from the WebSocket to the heading",
            tuple(one.heading_seconds for one in runs),
            "s",
            1,
        ),
        WaitTime("Run, first view, on the wire", tuple(one.megabytes for one in runs), "MB", 3),
    ]


def describe_shares(runs: Sequence[RunView], one_chart: Sequence[RunView]) -> str:
    """Return how the page Run compares with a Streamlit page of one curve, view by view."""
    first = [
        own.first_seconds / other.first_seconds for own, other in zip(runs, one_chart, strict=True)
    ]
    later = [
        own.later_seconds / other.later_seconds for own, other in zip(runs, one_chart, strict=True)
    ]
    return (
        "A Streamlit page with only one curve: first view"
        f" {median(other.first_seconds for other in one_chart):.3g} s, later view"
        f" {median(other.later_seconds for other in one_chart):.3g} s."
        f" The page Run takes {median(first):.2f} x and {median(later):.2f} x as long."
    )

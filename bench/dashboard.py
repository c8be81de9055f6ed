"""Dashboard benchmark: `python -m bench.dashboard` measures response times in a real browser.

Uses a separate stack with 10,000 experiments in addition to the shipped ones, each with a curve of
1,000 steps. Results are medians of five rounds.
"""

import os
import tempfile
from contextlib import closing
from urllib.parse import urlencode

import psycopg2
from playwright.sync_api import Browser, Page, sync_playwright

from bench.page_timing import WaitTime, measure_seconds
from bench.reporting.sampling import print_progress
from bench.run_view import describe_shares, measure_run, run_times, start_one_chart
from local import ports, settings
from local.stack import Stack
from tests.support import browser as chromium
from tests.support.digits import draw_with_mouse

ROUNDS = 5
EXPERIMENTS, CURVES, STEPS = 10_000, 50, 1_000
MODELS = 24
TIMEOUT_MILLISECONDS = 60_000

FILL = """
WITH added AS (
    INSERT INTO experiments (name, task, learning_rate, momentum, params, metrics, source_file,
                             source_line, content_digest)
    SELECT 'run_' || number, 'mnist', 10 ^ -(1 + number %% 4), (number %% 10) / 10.0,
           jsonb_build_object('batch_size', 2 ^ (3 + number %% 6),
                              'architecture', 'net ' || number %% 20),
           jsonb_build_object('test_accuracy', 0.9 + (number * 7919 %% 1000) / 10000.0),
           'bench', number, md5(number::text)
    FROM generate_series(1, %(experiments)s) AS number
    RETURNING id, source_line AS number
)
INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value, best_step)
SELECT id, 'loss', steps, losses, losses[cardinality(losses)], steps[cardinality(steps)]
FROM added
CROSS JOIN LATERAL (
    SELECT array_agg(step ORDER BY step) AS steps,
           array_agg(2.3 * exp(-step / 200.0) + 0.05 + 0.02 * random() ORDER BY step) AS losses
    -- the number gives each experiment a curve of its own, with other random values
    FROM generate_series(1, %(steps)s + 0 * number) AS step
) AS curve
"""

# Time from pointerup to the consensus heading, measured in the page.
WATCH = """() => {
    window.responseMilliseconds = null;
    window.addEventListener("pointerup", () => {
        const start = performance.now();
        const watcher = new MutationObserver(() => {
            if (!document.querySelector("[class*=st-key-answer-sign-] h2")) return;
            window.responseMilliseconds = performance.now() - start;
            watcher.disconnect();
        });
        watcher.observe(document.body, {childList: true, subtree: true});
    }, {once: true, capture: true});
}"""


def fill(dsn: str) -> None:
    """Insert the experiments."""
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(FILL, {"experiments": EXPERIMENTS, "steps": STEPS})
        cursor.execute("ANALYZE experiments, metric_curves")


def measure_first_view(browser: Browser, url: str) -> float:
    """Open the leaderboard with all experiments in a fresh browser context."""
    with closing(browser.new_context(viewport={"width": 1440, "height": 900})) as context:
        page = context.new_page()
        return measure_seconds(page, lambda: page.goto(url), lambda: wait_for_table(page))


def measure_filter(browser: Browser, url: str, number: int) -> float:
    """Enter a filter on the leaderboard."""
    with closing(browser.new_context(viewport={"width": 1440, "height": 900})) as context:
        page = context.new_page()
        page.goto(url)
        wait_for_text(page, "100 of 10,0")
        page.wait_for_timeout(2000)
        box = (
            page.get_by_role("searchbox", name="Filter")
            .or_(page.get_by_role("textbox", name="Filter"))
            .first
        )
        box.fill(f"accuracy > 97 % and lr < 0.05 and batch_size >= {number}")
        return measure_seconds(
            page, lambda: box.press("Enter"), lambda: wait_for_text(page, "match")
        )


def measure_groups(browser: Browser, url: str, number: int) -> float:
    """Open the groups by two parameters of all experiments above an accuracy."""
    query = {
        "view": "Groups",
        "group": ["architecture", "batch_size"],
        "filter": f"accuracy > 0.9{number}",  # another one each time, so nothing is cached
    }
    with closing(browser.new_context(viewport={"width": 1440, "height": 900})) as context:
        page = context.new_page()
        return measure_seconds(
            page,
            lambda: page.goto(f"{url}/?{urlencode(query, doseq=True)}"),
            lambda: wait_for_table(page),
        )


def measure_compare(browser: Browser, url: str) -> tuple[float, float]:
    """Open Compare with 50 curves of 1,000 steps.

    Returns seconds, and the page's JavaScript memory in megabytes.
    """
    names = [f"run_{number}" for number in range(1, CURVES + 1)]
    with closing(browser.new_context(viewport={"width": 1440, "height": 900})) as context:
        page = context.new_page()
        tools = context.new_cdp_session(page)
        tools.send("Performance.enable")
        link = f"{url}/compare?{urlencode({'experiments': names}, doseq=True)}"
        elapsed_seconds = measure_seconds(
            page,
            lambda: page.goto(link),
            page.locator(
                "[data-testid=stEChartsChart]:not(.st-key-skeleton *) canvas"
            ).first.wait_for,
        )
        page.wait_for_timeout(3000)
        tools.send("HeapProfiler.collectGarbage")
        metrics = {
            metric["name"]: metric["value"]
            for metric in tools.send("Performance.getMetrics")["metrics"]
        }
        return elapsed_seconds, metrics["JSHeapUsedSize"] / 1e6


def measure_predictions(browser: Browser, url: str, names: list[str]) -> list[float]:
    """Draw a digit repeatedly. Returns milliseconds from pointer-up to the predictions."""
    with closing(browser.new_context(viewport={"width": 1440, "height": 900})) as context:
        page = context.new_page()
        page.goto(f"{url}/predict?{urlencode({'experiments': names}, doseq=True)}")
        page.get_by_text("Draw a digit to see predictions").wait_for(timeout=TIMEOUT_MILLISECONDS)
        milliseconds = []
        for round_ in range(ROUNDS + 1):
            page.wait_for_timeout(1500)
            # A different window size yields a different drawing, which is not cached.
            page.set_viewport_size({"width": 1440 - 8 * round_, "height": 900})
            page.wait_for_timeout(500)
            page.evaluate(WATCH)
            draw_with_mouse(page)
            page.wait_for_function("window.responseMilliseconds !== null")
            milliseconds.append(float(page.evaluate("window.responseMilliseconds")))
            page.get_by_role("button", name="Clear", exact=True).click()
            page.get_by_text("Draw a digit to see predictions").wait_for()
        return milliseconds[1:]


def wait_for_table(page: Page) -> None:
    """Wait until the table is drawn and has rows."""
    page.locator("[data-testid=stDataFrame] canvas").first.wait_for(timeout=TIMEOUT_MILLISECONDS)
    page.locator("[data-testid=stDataFrame] table tbody td").first.wait_for(
        state="attached", timeout=TIMEOUT_MILLISECONDS
    )


def wait_for_text(page: Page, text: str) -> None:
    """Wait until the page shows a text."""
    page.get_by_text(text).first.wait_for(timeout=TIMEOUT_MILLISECONDS)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        port_settings = {
            name: str(ports.find_free()) for name in ("WEB_PORT", "API_PORT", "DB_PORT")
        }
        stack = Stack(settings.read({**port_settings, "LOCAL_DIR": folder}))
        try:
            print_progress("Starting a stack")
            stack.start()
            print_progress(f"Adding {EXPERIMENTS:,} experiments")
            fill(stack.settings.dsn)
            names = sorted(path.name for path in (stack.settings.root / "models").glob("mnist_*"))[
                :MODELS
            ]
            browser = playwright.chromium.launch(
                executable_path=chromium.find(playwright), args=chromium.arguments()
            )
            url = stack.settings.web_url
            measure_first_view(browser, url)  # warm-up: loads the application
            print_progress("Measuring")
            views = tuple(measure_first_view(browser, url) for _ in range(ROUNDS))
            filters = tuple(measure_filter(browser, url, 8 + number) for number in range(ROUNDS))
            groups = tuple(measure_groups(browser, url, number) for number in range(ROUNDS))
            compared = [measure_compare(browser, url) for _ in range(ROUNDS)]
            runs, one_chart = [], []
            with start_one_chart() as reference:
                for number in range(ROUNDS + 1):  # the first loads the files
                    one_chart.append(measure_run(browser, reference, number, number))
                    runs.append(measure_run(browser, url, 2 * number + 1, 2 * number + 2))
            answers = tuple(measure_predictions(browser, url, names))
            browser.close()
        finally:
            stack.stop()
    for wait_time in (
        WaitTime("Leaderboard of 10,000 experiments, first view", views, "s", 3),
        WaitTime("Leaderboard of 10,000 experiments, filter", filters, "s", 1),
        WaitTime("Groups of 10,000 experiments by two parameters, first view", groups, "s", 3),
        WaitTime(
            "Compare, 50 curves of 1,000 steps visible",
            tuple(elapsed_seconds for elapsed_seconds, _ in compared),
            "s",
            4,
        ),
        WaitTime(
            "Compare, 50 curves of 1,000 steps, JavaScript memory",
            tuple(memory for _, memory in compared),
            "MB",
            60,
        ),
        *run_times(runs[1:]),
        WaitTime(
            f"Predict, from pointer-up to the predictions of {len(names)} models",
            answers,
            "ms",
            300,
        ),
    ):
        print(wait_time)
    print(describe_shares(runs[1:], one_chart[1:]))
    print(
        "Load average at the end (1, 5, 15 min): "
        f"{', '.join(f'{load:.1f}' for load in os.getloadavg())}"
    )


if __name__ == "__main__":
    main()

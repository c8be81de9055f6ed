"""Demo animation of the README: doc/demo.gif, recorded from real stacks by `make pictures`.

A digit is drawn and answered, the leaderboard is filtered, a run grows while it trains, a model is
retrained and promoted, and SQL shows the result. The first scenes need a running stack. Retraining
has a stack of its own, whose trainings take seconds. Scenes are cut, so no frame waits.
"""

import math
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path

import pytest
import requests
from PIL import Image
from playwright.sync_api import Browser, Page

from db.initialize import set_up
from db.settings import from_environment
from doc.pictures import draw, open_browser, open_page, take_screenshot
from local import ports
from local import settings as local_settings
from local.postgres import Postgres
from tests.support.learning_stack import EXPERIMENT, LearningStack, digests, new_pen

ANIMATION = Path(__file__).parent / "demo.gif"
SIZE = (1120, 760)
COLORS = 160
MAX_BYTES = 4_000_000
DRAWING_MILLISECONDS, LIVE_MILLISECONDS = 110, 160
LIVE_FRAMES, LIVE_PAUSE_SECONDS, STEPS_PER_SECOND = 14, 0.5, 8
PEN_IMAGES = 300
RUN_SECONDS, PAGE_MILLISECONDS = 240, 60_000
READY = "SELECT 1 FROM model_versions WHERE version = %s AND status = 'READY'"
COLUMNS = ("run_id", "verdict", "gain", "gain_lower", "p_better", "promoted_by")
QUERY = f"SELECT {', '.join(COLUMNS)}\nFROM retraining_history ORDER BY run_id"
TERMINAL = """
<body style="margin:0;background:#101820;color:#d7e3e8;font:17px/1.6 monospace;padding:32px">
<pre>{text}</pre></body>
"""


class Film:
    """Frames of an animation with their durations."""

    def __init__(self) -> None:
        self._frames: list[Image.Image] = []
        self._milliseconds: list[int] = []

    def hold(self, page: Page, milliseconds: int) -> None:
        """Add the visible part of a page."""
        self.add([take_screenshot(page)], milliseconds)

    def add(self, frames: Sequence[Image.Image], milliseconds: int) -> None:
        """Add frames that are shown for so long each."""
        self._frames += frames
        self._milliseconds += [milliseconds] * len(frames)

    def save(self) -> None:
        """Write the file, with one palette for all frames. Exits if it is too large."""
        palette = self._frames[-8].quantize(COLORS)
        first, *others = [
            frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self._frames
        ]
        first.save(
            ANIMATION,
            save_all=True,
            append_images=others,
            duration=self._milliseconds,
            loop=0,
            optimize=True,
        )
        size = ANIMATION.stat().st_size
        print(f"doc/demo.gif, {len(self._frames)} frames, {size:,} bytes")
        if size > MAX_BYTES:
            raise SystemExit(f"doc/demo.gif must be below {MAX_BYTES:,} bytes")


def record(browser: Browser, base: str, api: str) -> None:
    """Record all scenes.

    Args:
        browser: a browser.
        base: address of the dashboard.
        api: base URL of the API.

    """
    context = browser.new_context(
        viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light"
    )
    page, film = context.new_page(), Film()
    with _learning_stack() as loop:
        _draw(page, film, base)
        _filter(page, film, base)
        _watch(page, film, base, api)
        _retrain(page, film, loop)
        _query(page, film, loop)
    context.close()
    film.save()


def _draw(page: Page, film: Film, base: str) -> None:
    open_page(page, f"{base}/predict?all=true", "Draw a digit here")
    film.hold(page, 900)
    frames: list[Image.Image] = []
    draw(page, frames)
    film.add(frames, DRAWING_MILLISECONDS)
    page.mouse.move(0, 0)
    film.hold(page, 2200)


def _filter(page: Page, film: Film, base: str) -> None:
    open_page(page, base, "Loss curves")
    film.hold(page, 1400)
    open_page(page, f"{base}/?filter=accuracy+>+98+%25+and+lr+<+0.1", "Loss curves")
    film.hold(page, 1600)


def _watch(page: Page, film: Film, base: str, api: str) -> None:
    """Add a run that grows while it trains."""
    with _training(api) as name:
        open_page(page, f"{base}/run?name={name}", "Results")
        _scroll_to(page, "Curves")
        for _ in range(LIVE_FRAMES):
            film.hold(page, LIVE_MILLISECONDS)
            page.wait_for_timeout(1000 * LIVE_PAUSE_SECONDS)
        film.hold(page, 1200)


@contextmanager
def _training(api: str) -> Iterator[str]:
    """Log a run in the background, and yield its name. Remove it from the leaderboard later."""
    params = {"learning_rate": 0.05, "momentum": 0.9, "architecture": "lenet5"}
    answer = requests.post(
        f"{api}/experiments", json={"name": "lenet5_live", "params": params}, timeout=10
    )
    answer.raise_for_status()
    run = f"{api}/experiments/{answer.json()['run_id']}"
    stopped = threading.Event()

    def train() -> None:
        step = 0
        while not stopped.wait(1 / STEPS_PER_SECOND):
            step += 1
            loss, accuracy = 2.3 * math.exp(-step / 40), 1 - 0.9 * math.exp(-step / 30)
            values = {
                "loss": loss + 0.06 * math.sin(5.1 * step) * loss,
                "val_loss": loss + 0.05,
                "accuracy": accuracy,
                "val_accuracy": accuracy - 0.01,
            }
            points = [
                {"metric": metric, "step": step, "value": value, "at": int(1000 * time.time())}
                for metric, value in values.items()
            ]
            requests.post(f"{run}/points", json={"points": points}, timeout=10).raise_for_status()

    thread = threading.Thread(target=train)
    thread.start()
    try:
        yield answer.json()["name"]
    finally:
        stopped.set()
        thread.join()
        change = {"state": "finished", "archived": True}
        requests.patch(run, json=change, timeout=10).raise_for_status()


@contextmanager
def _learning_stack() -> Iterator[LearningStack]:
    """Yield a stack whose champion misreads a new pen, with corrections of it and a worker."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        none = f"{folder}/none"
        chosen = {name: str(ports.find_free()) for name in ("WEB_PORT", "API_PORT", "DB_PORT")}
        settings = local_settings.read({**chosen, "LOCAL_DIR": f"{folder}/postgres"})
        server = Postgres(settings)
        server.open()
        try:
            owner = settings.libpq_variables("postgres", settings.owner_password)
            for name, value in {**owner, "DATA_CSV": none, "DATA_DIR": none}.items():
                patch.setenv(name, value)
            set_up(from_environment(os.environ))
            work = Path(folder) / "loop"
            work.mkdir()
            loop = LearningStack(owner, work)
            try:
                loop.start()
                _make_champion(loop)
                _correct(loop)
                yield loop
            finally:
                loop.stop()
        finally:
            server.stop(timeout_seconds=5)


def _make_champion(loop: LearningStack) -> None:
    first = loop.retrain(seeds=1)
    loop.wait_until_over(first, RUN_SECONDS)
    loop.wait(lambda: _is_ready(loop, 1))
    loop.call("POST", f"runs/{first}/promote", json={"by": "ann", "reason": "the first"})


def _correct(loop: LearningStack) -> None:
    """Label all images of a new pen, half of them on request."""
    images, labels = new_pen(PEN_IMAGES)
    answers = loop.predict(images)
    stored = "SELECT count(*) FROM images WHERE stored_at IS NOT NULL"
    loop.wait(lambda: loop.rows(stored) == [(PEN_IMAGES,)])
    asked = {"task": "mnist", "images": PEN_IMAGES // 2, "by": "ann"}
    loop.call("POST", "label-requests", json=asked)
    queue = loop.call("GET", "label-requests", params={"task": "mnist", "limit": PEN_IMAGES})
    requested = {one["image_digest"]: one["request_id"] for one in queue["requests"]}
    for digest, label in zip(digests(images), map(str, labels), strict=True):
        document: dict[str, object] = {"label": label, "labelled_by": "ann"}
        if digest in requested:
            document["answers_request"] = requested[digest]
        loop.call("PUT", f"predictions/{answers[digest]['prediction_id']}/label", json=document)


def _retrain(page: Page, film: Film, loop: LearningStack) -> None:
    """Add a retraining by its stages, and the promotion."""
    address = loop.start_dashboard()
    run = loop.retrain(seeds=2)
    open_page(page, f"{address}/pipelines?run={run}", "Runs")
    _scroll_to(page, f"Run {run}: {EXPERIMENT}")
    stages: list[Callable[[], bool]] = [
        lambda: "prepare" in loop.succeeded(run),
        lambda: "train" in loop.succeeded(run),
        lambda: "compare" in loop.succeeded(run),
    ]
    for stage in stages:
        loop.wait(stage, RUN_SECONDS)
        page.wait_for_timeout(1500)
        film.hold(page, 900)
    loop.wait_until_over(run, RUN_SECONDS)
    loop.wait(lambda: _is_ready(loop, 2))
    page.get_by_text("Promote: the candidate is better").wait_for(timeout=PAGE_MILLISECONDS)
    page.wait_for_timeout(1500)
    film.hold(page, 1800)
    page.get_by_role("button", name=re.compile("Promote$")).first.click()
    form = page.locator("[data-testid=stForm]").filter(visible=True).first
    form.get_by_role("textbox", name="Your name").fill("ann")
    form.get_by_role("textbox", name="Reason").fill("reads the new pen")
    film.hold(page, 1200)
    form.get_by_role("button", name="Promote").click()
    page.get_by_text("Promoted").filter(visible=True).first.wait_for(timeout=PAGE_MILLISECONDS)
    page.wait_for_timeout(1500)
    film.hold(page, 1800)


def _scroll_to(page: Page, heading: str) -> None:
    page.get_by_role("heading", name=heading).evaluate("element => element.scrollIntoView()")
    page.wait_for_timeout(500)


def _query(page: Page, film: Film, loop: LearningStack) -> None:
    """Add the result of a query, as psql shows it."""
    rows = [[_format(value) for value in row] for row in loop.rows(QUERY)]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    lines = [
        " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in (COLUMNS, *rows)
    ]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    query = QUERY.replace("\n", "\nmlopsdb-> ")
    text = "\n".join([f"mlopsdb=> {query};", "", *lines, f"({len(rows)} rows)"])
    page.set_content(TERMINAL.format(text=escape(text)))
    film.hold(page, 3000)


def _is_ready(loop: LearningStack, version: int) -> bool:
    return bool(loop.rows(READY, version))


def _format(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Record the animation. WEB_PORT and API_PORT are the ports of the running stack."""
    base = f"http://localhost:{os.environ.get('WEB_PORT') or 8501}"
    api = f"http://localhost:{os.environ.get('API_PORT') or 9090}/api/v1.0"
    with open_browser() as browser:
        record(browser, base, api)


if __name__ == "__main__":
    main()

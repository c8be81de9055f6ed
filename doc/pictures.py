"""Screenshots of the documentation, taken from a running stack.

`make pictures` writes doc/pictures/*.png, one per page and theme, then doc/demo.gif (doc/demo.py).
The stack must have the shipped experiments. WEB_PORT is its port, as for `make up`.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support import browser as chromium
from web.components.sample_digits import STROKES

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
WIDTH, HEIGHT = 1280, 900
POINTS_PER_FRAME = 8
# Time for charts and the status strip to settle.
SETTLE_MILLISECONDS = 2500

COMPARED = [
    "mnist_experiment_25__deep_cnn_16_48_96_augmented",
    "mnist_experiment_12__lenet5",
    "mnist_experiment_4__mlp_32",
]
# Page -> its path, and a text that is visible when it is complete.
PAGES = {
    "leaderboard": ("/", "Loss curves"),
    "compare": (
        f"/compare?{urlencode({'experiments': COMPARED, 's': '0.8', 'log': 'true'}, doseq=True)}",
        "Results",
    ),
    "predict": ("/predict?all=true", "Draw a digit here"),
    "evaluate": ("/evaluate", "Evaluate"),
    "run": ("/run?name=mnist_experiment_25__deep_cnn_16_48_96_augmented", "Results"),
    "history": ("/history", "Live accuracy"),
    "models": ("/models?m=mnist_experiment_25__deep_cnn_16_48_96_augmented", "Aliases"),
    # The newest run with a verdict, if there is one.
    "pipelines": ("/pipelines", "Runs"),
    # An open alert, if there is one.
    "monitor": ("/monitor", "Evidence"),
}


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Yield a browser that asks no proxy for local pages."""
    os.environ.setdefault("NO_PROXY", "localhost,127.0.0.1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(playwright), args=chromium.arguments()
        )
        yield browser
        browser.close()


def open_page(page: Page, url: str, text: str) -> None:
    """Open a page and wait until it is complete."""
    page.goto(url)
    page.get_by_text(text, exact=True).first.wait_for(timeout=60_000)
    page.locator("[data-testid=stAppSkeleton]").wait_for(state="hidden")
    page.wait_for_timeout(SETTLE_MILLISECONDS)


def draw(page: Page, frames: list[Image.Image] | None = None) -> None:
    """Draw a three with the mouse and wait for the predictions.

    Appends a frame of the animation every few points.
    """
    box = page.locator("canvas[data-part=canvas]").bounding_box()
    if box is None:
        raise SystemExit("The canvas of the Predict page is not visible.")
    [three] = STROKES["3"]
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in three]
    page.mouse.move(*points[0])
    page.mouse.down()
    for number, point in enumerate(points):
        page.mouse.move(*point)
        if frames is not None and number % POINTS_PER_FRAME == 0:
            frames.append(take_screenshot(page))
    page.mouse.up()
    page.locator("[class*=st-key-answer-sign-]").first.wait_for()
    page.wait_for_timeout(SETTLE_MILLISECONDS)


def take_screenshot(page: Page) -> Image.Image:
    """Return the visible part of the page."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def take_screenshots(browser: Browser, base: str, theme: str) -> None:
    """Write the screenshot of every page in a theme, light or dark."""
    for name, (path, text) in PAGES.items():
        context = browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT},
            color_scheme="dark" if theme == "dark" else "light",
            device_scale_factor=1,
        )
        page = context.new_page()
        open_page(page, base + path, text)
        if name == "predict":
            draw(page)
        if name == "evaluate":
            evaluate(page)
        page.mouse.move(0, 0)
        image = take_screenshot(page).quantize(256, dither=Image.Dither.NONE)
        image.save(PICTURES / f"{name}-{theme}.png", optimize=True)
        context.close()
        print(f"doc/pictures/{name}-{theme}.png")


def evaluate(page: Page) -> None:
    """Evaluate the rendered digits, unless the results are cached from the other theme."""
    button = page.get_by_role("button", name="Evaluate", exact=True)
    if button.count():
        button.first.click()
    page.get_by_text("Confusion matrix", exact=True).first.wait_for(timeout=120_000)
    page.wait_for_timeout(SETTLE_MILLISECONDS)


def main() -> None:
    """Take all screenshots."""
    base = f"http://localhost:{os.environ.get('WEB_PORT') or 8501}"
    PICTURES.mkdir(exist_ok=True)
    with open_browser() as browser:
        for theme in ("light", "dark"):
            take_screenshots(browser, base, theme)


if __name__ == "__main__":
    main()

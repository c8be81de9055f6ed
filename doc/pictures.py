"""Make the pictures of the documentation from a running stack.

`make pictures` writes doc/pictures/*.png and doc/demo.gif.

One picture per page and theme, and a short film: a digit is drawn, every model answers, the best
are compared. What runs must hold the shipped experiments. Takes WEB_PORT from the environment, as
`make up` does.
"""

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support import browser as chromium

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
FILM = HERE / "demo.gif"
WIDTH, HEIGHT = 1280, 900
FILM_SIZE = (1120, 760)
FILM_COLOURS = 200
POINTS_PER_FRAME = 8
FRAME_MILLISECONDS = 110
MAX_FILM_BYTES = 3_000_000
# What a page shows late: charts that settle, and the strip.
SETTLE_MILLISECONDS = 2500

COMPARED = [
    "mnist_experiment_25__deep_cnn_16_48_96_augmented",
    "mnist_experiment_12__lenet5",
    "mnist_experiment_4__mlp_32",
]
# Page -> where it is, and a text that it shows once it is whole.
PAGES = {
    "leaderboard": ("/", "Loss curves"),
    "compare": (
        f"/compare?{urlencode({'experiments': COMPARED, 's': '0.8', 'log': 'true'}, doseq=True)}",
        "Results",
    ),
    "predict": ("/predict?all=true", "Draw a digit here"),
    "evaluate": ("/evaluate", "Evaluate"),
    "models": ("/models?m=mnist_experiment_25__deep_cnn_16_48_96_augmented", "Aliases"),
}


def three() -> list[tuple[float, float]]:
    """A three as one stroke in a square of 1x1.

    Two arcs, each from its upper left round to the middle.
    """
    upper = [
        (0.46 + 0.19 * math.cos(angle / 10), 0.34 + 0.15 * math.sin(angle / 10))
        for angle in range(-26, 17)
    ]
    lower = [
        (0.45 + 0.24 * math.cos(angle / 10), 0.65 + 0.17 * math.sin(angle / 10))
        for angle in range(-15, 26)
    ]
    return [*upper, *lower]


def open_page(page: Page, url: str, text: str) -> None:
    """Open a page and wait until it is whole."""
    page.goto(url)
    page.get_by_text(text, exact=True).first.wait_for(timeout=60_000)
    page.locator("[data-testid=stAppSkeleton]").wait_for(state="hidden")
    page.wait_for_timeout(SETTLE_MILLISECONDS)


def draw(page: Page, film: list[Image.Image] | None = None) -> None:
    """Draw a three with the mouse, and wait for the answers.

    A frame is added to the film every few points.
    """
    box = page.locator("canvas[data-part=canvas]").bounding_box()
    if box is None:
        raise SystemExit("The canvas of Predict is not on the screen.")
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in three()]
    page.mouse.move(*points[0])
    page.mouse.down()
    for number, point in enumerate(points):
        page.mouse.move(*point)
        if film is not None and number % POINTS_PER_FRAME == 0:
            film.append(shot(page))
    page.mouse.up()
    page.locator("[class*=st-key-consensus-sign-]").first.wait_for()
    page.wait_for_timeout(SETTLE_MILLISECONDS)


def shot(page: Page) -> Image.Image:
    """Return what the page shows now."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def take_pictures(browser: Browser, base: str, theme: str) -> None:
    """Write the picture of every page in a theme, light or dark."""
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
        picture = shot(page).quantize(256, dither=Image.Dither.NONE)
        picture.save(PICTURES / f"{name}-{theme}.png", optimize=True)
        context.close()
        print(f"doc/pictures/{name}-{theme}.png")


def evaluate(page: Page) -> None:
    """Run the evaluation of the bundled set, unless its results are there from the theme before."""
    button = page.get_by_role("button", name="Evaluate", exact=True)
    if button.count():
        button.first.click()
    page.get_by_text("Confusion matrix", exact=True).first.wait_for(timeout=120_000)
    page.wait_for_timeout(SETTLE_MILLISECONDS)


def take_film(browser: Browser, base: str) -> None:
    """Write the film: draw, answers, compare."""
    context = browser.new_context(
        viewport={"width": FILM_SIZE[0], "height": FILM_SIZE[1]}, color_scheme="light"
    )
    page = context.new_page()
    frames: list[Image.Image] = []
    holds: list[int] = []

    def hold(milliseconds: int) -> None:
        frames.append(shot(page))
        holds.append(milliseconds)

    open_page(page, base + PAGES["predict"][0], PAGES["predict"][1])
    hold(1200)
    draw(page, frames)
    holds += [FRAME_MILLISECONDS] * (len(frames) - len(holds))
    page.mouse.move(0, 0)
    hold(2600)
    page.mouse.wheel(0, 420)
    page.wait_for_timeout(800)
    hold(2200)
    open_page(page, base + PAGES["compare"][0].replace("s=0.8", "s=0.0"), PAGES["compare"][1])
    hold(1800)
    open_page(page, base + PAGES["compare"][0], PAGES["compare"][1])
    hold(2600)
    page.mouse.wheel(0, 620)
    page.wait_for_timeout(800)
    hold(3000)
    context.close()
    save_film(frames, holds)


def save_film(frames: Sequence[Image.Image], holds: Sequence[int]) -> None:
    """Write the frames, each shown for its milliseconds, with the colours of one palette for all."""
    palette = frames[-3].quantize(FILM_COLOURS)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    indexed[0].save(
        FILM, save_all=True, append_images=indexed[1:], duration=list(holds), loop=0, optimize=True
    )
    size = FILM.stat().st_size
    print(f"doc/demo.gif, {size:,} bytes")
    if size > MAX_FILM_BYTES:
        raise SystemExit(f"doc/demo.gif must be below {MAX_FILM_BYTES:,} bytes")


def main() -> None:
    """Take everything."""
    base = f"http://localhost:{os.environ.get('WEB_PORT') or 8501}"
    PICTURES.mkdir(exist_ok=True)
    os.environ.setdefault("NO_PROXY", "localhost,127.0.0.1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(playwright), args=chromium.arguments()
        )
        for theme in ("light", "dark"):
            take_pictures(browser, base, theme)
        take_film(browser, base)
        browser.close()


if __name__ == "__main__":
    main()

"""Kinds of photos: one maker for each fault, by its name."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from tests.corpus.photos import scenes as s
from tests.corpus.photos.strokes import coverage, draw, random_hand

Maker = Callable[[str, s.Rng, s.DrawDigit], bytes]
SIZE = (600, 800)


def _place(rng: s.Rng, size: tuple[int, int]) -> tuple[tuple[float, float], float]:
    height = rng.uniform(0.3, 0.5) * min(size)
    at = size[0] * rng.uniform(0.4, 0.6), size[1] * rng.uniform(0.4, 0.6)
    return at, height


def sheet(
    label: str,
    rng: s.Rng,
    digit: s.DrawDigit,
    *,
    size: tuple[int, int] = SIZE,
    color: s.Color = s.PAPER,
    pen: s.Color = s.BLACK,
    width: float = 0.075,
    strength: float = 1.0,
    step: int = 0,
    rule: s.Color = (170, 180, 205),
    squared: bool = False,
    rule_width: int = 1,
    angle: float = 0.0,
    margin: bool = False,
    scale: float = 1.0,
) -> s.Picture:
    picture = s.paper(size, color, rng)
    if step:
        picture = s.rules(
            picture, step, rule, is_squared=squared, width=rule_width, angle=angle, rng=rng
        )
    if margin:
        x = size[0] * rng.uniform(0.1, 0.18)
        line = Image.new("L", size)
        ImageDraw.Draw(line).line((x, 0, x, size[1]), fill=255, width=2)
        picture = s.ink(picture, coverage(line), (225, 120, 120))
    at, height = _place(rng, size)
    return s.ink(picture, digit(size, label, at, height * scale, width, rng), pen, strength)


def _kind(**properties: object) -> Maker:
    def make(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
        return s.shot(sheet(label, rng, digit, **properties), rng)  # type: ignore[arg-type]

    return make


def _shadow(kind: str, **properties: object) -> Maker:
    def make(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
        picture = sheet(label, rng, digit, **properties)  # type: ignore[arg-type]
        return s.shot(s.light(picture, kind, rng), rng)

    return make


def _shot(**camera: object) -> Maker:
    def make(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
        return s.shot(sheet(label, rng, digit), rng, **camera)  # type: ignore[arg-type]

    return make


def _tilted_rules(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    picture = sheet(label, rng, digit, step=38, rule=(140, 150, 175), rule_width=2,
                     angle=rng.uniform(-4, 4), margin=True)  # fmt: skip
    return s.shot(picture, rng)


def _dim(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    return s.shot(sheet(label, rng, digit) * rng.uniform(0.25, 0.4), rng, noise=4, blur=2.5)


def _table(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    table = s.TABLES[int(rng.integers(len(s.TABLES)))]
    picture = sheet(label, rng, digit, step=int(rng.choice([0, 34])))
    return s.shot(s.on_table(picture, table, rng, angle=rng.uniform(-9, 9)), rng)


def _perspective(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    picture = sheet(label, rng, digit, step=32, squared=True)
    table = s.TABLES[int(rng.integers(len(s.TABLES)))]
    return s.shot(s.on_table(picture, table, rng, angle=rng.uniform(-4, 4), skew=0.1), rng)


def _table_edge(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    picture = s.on_table(sheet(label, rng, digit), s.TABLES[0], rng, angle=rng.uniform(-6, 6))
    return s.shot(picture[:, : SIZE[0]], rng)


def _two_sheets(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    picture = s.on_table(sheet(label, rng, digit), s.TABLES[2], rng, angle=rng.uniform(-6, 6))
    other = s.on_table(s.paper((400, 560), s.YELLOW, rng), s.TABLES[2], rng, angle=8)
    return s.shot(np.concatenate([picture, np.resize(
        s.paper((picture.shape[1], 100), s.TABLES[2], rng), (100, picture.shape[1], 3)),
        np.pad(other, ((0, 0), (0, max(0, picture.shape[1] - other.shape[1])), (0, 0)),
               mode="edge")[:, : picture.shape[1]]]), rng)  # fmt: skip


def _tilt(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    picture = sheet(label, rng, digit)
    angle = rng.choice([-1, 1]) * rng.uniform(12, 25)
    image = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    fill = tuple(int(v) for v in picture.mean((0, 1)))
    turned = image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=fill)
    return s.shot(np.asarray(turned, np.float32), rng)


def _finger(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    picture = sheet(label, rng, digit)
    blob = Image.new("L", SIZE)
    x = rng.choice([0, SIZE[0]])
    ImageDraw.Draw(blob).ellipse((x - 130, 640, x + 130, 900), fill=255)
    return s.shot(s.ink(picture, coverage(blob), (205, 150, 125)), rng)


def _dots(radius: tuple[int, int], count: int, color: s.Color, at: str) -> Maker:
    def make(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
        picture = sheet(label, rng, digit, step=34 if at == "margin" else 0)
        dots = Image.new("L", SIZE)
        for number in range(count):
            r = int(rng.integers(*radius))
            x, y = rng.uniform(10, SIZE[0] - 10), rng.uniform(10, SIZE[1] - 10)
            if at == "margin":
                x, y = 45, SIZE[1] * (number + 0.5) / count
            ImageDraw.Draw(dots).ellipse((x - r, y - r, x + r, y + r), fill=255)
        return s.shot(s.ink(picture, coverage(dots), color), rng)

    return make


def _near_edge(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    picture = s.paper(SIZE, s.PAPER, rng)
    height = 260
    at = float(rng.choice([115, SIZE[0] - 115])), float(rng.choice([142, SIZE[1] - 142]))
    return s.shot(s.ink(picture, digit(SIZE, label, at, height, 0.075, rng), s.BLACK), rng)


def _small(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    size = (1600, 1200)
    picture = s.paper(size, s.PAPER, rng)
    at = size[0] * rng.uniform(0.2, 0.8), size[1] * rng.uniform(0.2, 0.8)
    return s.shot(s.ink(picture, digit(size, label, at, 90, 0.09, rng), s.BLACK), rng)


def _printed(label: str, rng: s.Rng, _: s.DrawDigit) -> bytes:
    picture = s.paper(SIZE, s.PAPER, rng)
    return s.shot(s.ink(picture, s.printed(SIZE, label, (300, 400), 220), s.BLACK), rng)


def split(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    label_ = label if label in "457" else "457"[int(label) % 3]
    del digit
    picture = s.paper(SIZE, s.PAPER, rng)
    drawn = draw(SIZE, label_, (300, 400), 300, random_hand(rng, 0.07), rng, is_split=True)
    return s.shot(s.ink(picture, drawn, s.BLACK), rng)


def _exif(label: str, rng: s.Rng, digit: s.DrawDigit) -> bytes:
    return s.shot(sheet(label, rng, digit), rng, orientation=int(rng.choice([3, 6, 8])))


KINDS: dict[str, Maker] = {
    "plain": _kind(),
    "lined": _kind(step=36, margin=True),
    "lined_dark": _kind(step=36, rule=(120, 130, 160), rule_width=2, margin=True),
    "rules_tilted": _tilted_rules,
    "squared_blue": _kind(step=30, squared=True, pen=s.BLUE),
    "squared_gray": _kind(step=26, squared=True, rule=(150, 150, 150)),
    "squared_green": _kind(step=30, squared=True, rule=(120, 190, 140), pen=s.BLUE),
    "blue": _kind(pen=s.BLUE),
    "red": _kind(pen=s.RED),
    "green": _kind(pen=s.GREEN),
    "pencil": _kind(pen=s.PENCIL, width=0.03, strength=0.7),
    "pencil_lined": _kind(pen=s.PENCIL, width=0.045, step=36, margin=True),
    "pencil_squared": _kind(pen=s.PENCIL, width=0.045, step=30, squared=True),
    "fineliner": _kind(width=0.015),
    "marker": _kind(width=0.19),
    "marker_lined": _kind(width=0.15, step=36),
    "yellow_paper": _kind(color=s.YELLOW, step=36),
    "whiteboard": _shadow("vignette", color=s.BOARD, pen=s.GREEN, width=0.08),
    "chalk": _kind(color=s.BLACKBOARD, pen=s.CHALK, width=0.085),
    "shadow_side": _shadow("side"),
    "shadow_corner": _shadow("corner"),
    "shadow_hand": _shadow("hand"),
    "shadow_phone": _shadow("phone"),
    "shadow_vignette": _shadow("vignette"),
    "shadow_lined": _shadow("hand", step=36, margin=True),
    "shadow_squared": _shadow("side", step=30, squared=True, pen=s.BLUE),
    "dim_blur": _dim,
    "motion_blur": _shot(motion=11),
    "bad_jpeg": _shot(quality=22),
    "table": _table,
    "perspective": _perspective,
    "table_edge": _table_edge,
    "two_sheets": _two_sheets,
    "tilt": _tilt,
    "finger": _finger,
    "holes": _dots((13, 14), 4, (110, 105, 100), "margin"),
    "specks": _dots((2, 4), 6, s.BLACK, "anywhere"),
    "near_edge": _near_edge,
    "small": _small,
    "printed": _printed,
    "exif": _exif,
}

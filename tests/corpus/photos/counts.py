"""Photos with several digits, with one of several strokes, and with none."""

from collections.abc import Callable, Iterator

import numpy as np

from tests.corpus.photos import scenes as s
from tests.corpus.photos.kinds import SIZE, sheet, split


def _row(count: int) -> Callable[[s.Rng, s.DrawDigit], Iterator[tuple[str, bytes]]]:
    def make(rng: s.Rng, digit: s.DrawDigit) -> Iterator[tuple[str, bytes]]:
        for _ in range(5):
            size = (800, 500)
            picture = s.paper(size, s.PAPER, rng)
            label = "".join(str(d) for d in rng.integers(0, 10, count))
            for number, one in enumerate(label):
                at = size[0] * (number + 1) / (count + 1), 250 + rng.uniform(-20, 20)
                drawn = digit(size, one, at, rng.uniform(190, 230) * 3 / (count + 1), 0.08, rng)
                picture = s.ink(picture, drawn, s.BLACK)
            yield label, s.shot(picture, rng)

    return make


def _full_sheet(rng: s.Rng, digit: s.DrawDigit) -> Iterator[tuple[str, bytes]]:
    for step in (0, 42):
        size = (1000, 1100)
        picture = s.paper(size, s.PAPER, rng)
        if step:
            picture = s.rules(picture, step, (170, 180, 205))
        label = "".join(str(d) for d in rng.integers(0, 10, 25))
        for number, one in enumerate(label):
            at = 140.0 + 180 * (number % 5), 150.0 + 200 * (number // 5)
            picture = s.ink(picture, digit(size, one, at, 120, 0.09, rng), s.BLACK)
        yield label, s.shot(picture, rng)


def _split_digits(rng: s.Rng, digit: s.DrawDigit) -> Iterator[tuple[str, bytes]]:
    for label in "445577":
        yield label, split(label, rng, digit)


SEVERAL: dict[str, Callable[[s.Rng, s.DrawDigit], Iterator[tuple[str, bytes]]]] = {
    "split": _split_digits,
    "two_digits": _row(2),
    "three_digits": _row(3),
    "sheet": _full_sheet,
}


def _no_ink(label: str, rng: s.Rng, digit: s.DrawDigit, **properties: object) -> s.Picture:
    return sheet(label, rng, digit, strength=0, **properties)  # type: ignore[arg-type]


def _blank(**properties: object) -> Callable[[s.Rng], bytes]:
    return lambda rng: s.shot(_no_ink("1", rng, s.draw_digit, **properties), rng)


def _blank_shadow(kind: str, **properties: object) -> Callable[[s.Rng], bytes]:
    return lambda rng: s.shot(
        s.light(_no_ink("1", rng, s.draw_digit, **properties), kind, rng), rng
    )


def _blank_table(rng: s.Rng) -> bytes:
    return s.shot(s.on_table(s.paper(SIZE, s.PAPER, rng), s.TABLES[0], rng, angle=6), rng)


def _blank_table_edge(rng: s.Rng) -> bytes:
    picture = s.on_table(s.paper(SIZE, s.PAPER, rng), s.TABLES[1], rng, angle=4)
    return s.shot(picture[:, : SIZE[0]], rng)


def _noise(rng: s.Rng) -> bytes:
    return s.shot(rng.uniform(0, 255, (300, 300, 3)).astype(np.float32), rng, blur=0)


def _soft_noise(rng: s.Rng) -> bytes:
    return s.shot(np.full((500, 500, 3), 120, np.float32), rng, noise=15)


BLANK: dict[str, Callable[[s.Rng], bytes]] = {
    "blank_paper": _blank(),
    "blank_lined": _blank(step=36, margin=True),
    "blank_lined_dark": _blank(step=36, rule=(120, 130, 160), rule_width=2),
    "blank_squared": _blank(step=30, squared=True),
    "blank_squared_gray": _blank(step=26, squared=True, rule=(150, 150, 150)),
    "blank_tilted": _blank(step=34, angle=3.0),
    "blank_board": _blank(color=s.BLACKBOARD),
    "blank_side": _blank_shadow("side"),
    "blank_corner": _blank_shadow("corner"),
    "blank_hand": _blank_shadow("hand"),
    "blank_phone": _blank_shadow("phone"),
    "blank_vignette": _blank_shadow("vignette"),
    "blank_hand_lined": _blank_shadow("hand", step=36, margin=True),
    "blank_table": _blank_table,
    "blank_table_edge": _blank_table_edge,
    "blank_noise": _noise,
    "blank_soft_noise": _soft_noise,
}

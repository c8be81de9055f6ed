"""Sheet of paper on a table."""

import numpy as np
import pytest
from PIL import Image

from inference.preprocessing.photos.sheet import (
    SMALL_SIDE,
    _find_outline,
    _upper_quartile,
    find_sheet,
)
from tests.support.images import drawn


def on_table(angle: float, table: int = 60) -> Image.Image:
    sheet = Image.fromarray(drawn("4", side=240, ink=40, paper=230)).convert("LA")
    turned = sheet.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    picture = Image.new("L", (400, 420), table)
    picture.paste(turned.getchannel(0), (60, 70), turned.getchannel("A"))
    return picture


@pytest.mark.parametrize("angle", [-8, 0, 8])
def test_find_sheet_lies_within_the_paper(angle: float) -> None:
    picture = np.asarray(on_table(angle))
    sheet = find_sheet(picture)
    assert sheet is not None
    assert (picture[sheet] == 60).mean() < 0.002
    assert sheet.sum() > 0.75 * 240 * 240
    assert (picture[sheet] < 60).any()  # the digit is inside


def test_find_sheet_is_none_without_a_table() -> None:
    assert find_sheet(drawn("4", side=300, ink=40, paper=230)) is None


@pytest.mark.parametrize("edge", [0.08, 0.3])
def test_find_sheet_is_none_for_a_spot_of_light(edge: float) -> None:
    y, x = np.mgrid[-1:1:300j, -1:1:300j]
    light = 1 / (1 + np.exp((np.hypot(x, y) - 0.6) / edge))
    assert find_sheet((60 + 170 * light).astype(np.uint8)) is None


@pytest.mark.parametrize("text", "0123456789")
def test_find_sheet_is_none_for_a_thick_digit_on_black(text: str) -> None:
    image = Image.fromarray(drawn(text, side=200))
    wide = np.asarray(image.crop((40, 30, 160, 170)).resize((300, 350)))
    assert find_sheet(wide) is None


@pytest.mark.parametrize(
    ("ink", "paper", "has_sheets"),
    [(255, 0, True), (170, 90, True), (139, 90, False), (0, 255, False), (250, 40, True)],
)
@pytest.mark.parametrize("side", [66, 140, 300, 1100])
def test_find_sheet_in_a_flat_frame_agrees_with_the_full_search(
    side: int, ink: int, paper: int, *, has_sheets: bool
) -> None:
    """A frame of one shade spares most of the search."""
    rng = np.random.default_rng(side)
    found = []
    for _ in range(8):
        picture = np.full((side, side), paper, np.uint8)
        top, left = rng.integers(side // 12, side // 5, 2)
        height, width = rng.integers(side // 5, side * 3 // 4, 2)
        picture[top : top + height, left : left + width] = ink
        picture[top + 5 : top + height - 5 : 4, left + 5 : left + width - 5 : 5] = paper
        small = Image.fromarray(picture)
        small.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BOX, reducing_gap=2.0)
        found.append(find_sheet(picture) is not None)
        assert found[-1] == (_find_outline(small) is not None)
    assert any(found) == has_sheets


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 9), (128, 96)])
def test_upper_quartile_equals_numpys(size: tuple[int, int]) -> None:
    shades = np.random.default_rng(size[0]).integers(0, 256, size).astype(np.uint8)
    assert _upper_quartile(Image.fromarray(shades)) == np.percentile(shades, 75)

"""Sheet of paper on a table."""

import numpy as np
import pytest
from PIL import Image

from inference.preprocessing.photos.sheet import find_sheet
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

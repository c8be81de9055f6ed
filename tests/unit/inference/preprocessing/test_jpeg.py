"""JPEG structure: single scans, and the files that need memory for the whole picture."""

import pytest
from PIL import Image

from inference.preprocessing.jpeg import has_single_scan
from tests.support.images import drawn, encoded

COLORED = Image.fromarray(drawn(side=60)).convert("RGB")


@pytest.mark.parametrize("image", [Image.fromarray(drawn(side=60)), COLORED], ids=["gray", "color"])
def test_has_single_scan_baseline(image: Image.Image) -> None:
    assert has_single_scan(encoded(image, "JPEG"))


def test_has_single_scan_after_metadata_and_fill_bytes() -> None:
    exif = Image.Exif()
    exif[0x010E] = "\u00ff\u00da" * 40
    data = encoded(COLORED, "JPEG", exif=exif, comment=b"\xff\xda" * 40)
    assert has_single_scan(data)
    assert has_single_scan(data[:2] + b"\xff\xff" + data[2:])


def test_has_single_scan_progressive_is_false() -> None:
    assert not has_single_scan(encoded(COLORED, "JPEG", progressive=True))


def test_has_single_scan_of_one_component_of_three_is_false() -> None:
    data = encoded(COLORED, "JPEG")
    scan = data.index(b"\xff\xda")
    assert data[scan + 4] == 3
    assert not has_single_scan(data[: scan + 4] + b"\x01" + data[scan + 5 :])


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xda\0", b"abc"])
def test_has_single_scan_of_broken_files_is_false(data: bytes) -> None:
    assert not has_single_scan(data)


def test_has_single_scan_of_cut_files_is_quiet() -> None:
    data = encoded(COLORED, "JPEG")
    assert not any(has_single_scan(data[:end]) for end in range(data.index(b"\xff\xda") + 4))

"""Exchange: the parts that all protocols share."""

from typing import Any

import pytest

from inference.errors import MalformedRequestError
from inference.protocols.exchange import decode_base64, version_header
from tests.support.fake_models import make_version


def test_version_header_names_the_version() -> None:
    assert version_header(make_version("a", version=3)) == (b"x-model-version", b"a@3")


def test_base64_is_decoded() -> None:
    assert decode_base64("cG5n") == b"png"


@pytest.mark.parametrize("text", ["cG5", "c G5n", "ä", 5, None, ["cG5n"]])
def test_another_text_is_refused(text: Any) -> None:
    with pytest.raises(MalformedRequestError):
        decode_base64(text)

"""Error boundary."""

import logging

import pytest
from streamlit.testing.v1 import AppTest


def script() -> None:
    import streamlit as st  # noqa: PLC0415

    from web.components.error_boundary import error_boundary  # noqa: PLC0415

    with error_boundary("The chart"):
        raise RuntimeError("secret detail")
    st.write("the rest")


def test_error_is_shown_without_detail_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        app = AppTest.from_function(script, default_timeout=30).run()
    assert "The chart cannot be shown" in app.error[0].value
    assert ("secret" in app.error[0].value, len(app.exception)) == (False, 0)
    assert app.markdown[0].value == "the rest"
    assert "secret detail" in caplog.text

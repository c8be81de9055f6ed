"""Request context: the current request and its client program."""

import pytest

from servicekit.request_context import current_request_id, of_request, parse_program, source


def test_context_lasts_for_the_block() -> None:
    assert current_request_id() == "none"
    with of_request(b"r-1", "curl/8.5.0"):
        assert (current_request_id(), source.get()) == ("r-1", "curl/8.5.0")
        with of_request(b"r-2", None):
            assert (current_request_id(), source.get()) == ("r-2", None)
        assert current_request_id() == "r-1"
    assert (current_request_id(), source.get()) == ("none", None)


@pytest.mark.parametrize(
    ("user_agent", "program"),
    [
        (b"curl/8.5.0", "curl/8.5.0"),
        (b"Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0"),
        (b"", None),
        (b"<script>", None),
        (b"x" * 100, "x" * 64),
    ],
)
def test_parse_program_returns_the_first_product(user_agent: bytes, program: str | None) -> None:
    assert parse_program(user_agent) == program

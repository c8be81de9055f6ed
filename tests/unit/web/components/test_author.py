import pytest

from web.components.author import MAX_AUTHOR_CHARACTERS, author_cookie, parse_author


@pytest.mark.parametrize("name", ["ann", "Ann Öztürk", "50%20; Path=/x", "鈴木"])
def test_parse_author_of_a_written_cookie_gives_the_name(name: str) -> None:
    key, _, value = author_cookie(name).split(";")[0].partition("=")
    assert value.isascii()
    assert parse_author({key: value}) == name


@pytest.mark.parametrize("value", ["", "%00", "a" * (MAX_AUTHOR_CHARACTERS + 1), "%0Ax"])
def test_parse_author_of_an_invalid_cookie_is_empty(value: str) -> None:
    assert parse_author({"mlops_author": value}) == ""


def test_parse_author_without_the_cookie_is_empty() -> None:
    assert parse_author({"other": "ann"}) == ""

"""Tokenizer of the filter language."""

from web.data.filter_tokens import FilterError, tokenize, underline_error


def test_tokens_have_kind_text_and_position() -> None:
    tokens = [(token.kind, token.text, token.position) for token in tokenize("lr>='a''b'")]
    assert tokens == [("word", "lr", 0), ("sign", ">=", 2), ("quoted", "a'b", 4), ("end", "", 10)]


def test_error_is_underlined_on_one_line() -> None:
    assert underline_error("lr\n> x", FilterError(5, 1, "")) == "lr > x\n     ^"
    assert underline_error("lr >", FilterError(4, 0, "")) == "lr >\n    ^"

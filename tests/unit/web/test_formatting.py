"""Formatting of values."""

import pytest

from web.formatting import (
    escape_markdown,
    format_age,
    format_percent,
    format_size,
    join_names,
    pluralize,
)


def test_markdown_in_a_name_is_escaped() -> None:
    assert escape_markdown("a_*b*[c](d)`e`$f$<g>~#") == r"a\_\*b\*\[c\]\(d\)\`e\`\$f\$\<g\>\~\#"


@pytest.mark.parametrize("directive", [":material/draw:", ":red[text]", ":smile:", ":+1:"])
def test_directive_in_a_name_is_disabled(directive: str) -> None:
    assert escape_markdown(directive).startswith("\\:\N{WORD JOINER}")


def test_name_with_line_breaks_becomes_one_line() -> None:
    assert escape_markdown("a\n\n# b") == r"a \# b"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (40, "40 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (7200, "2 h ago"),
        (864000, "10 days ago"),
    ],
)
def test_age_has_one_unit(seconds: float, text: str) -> None:
    assert format_age(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.984, "98 %"), (1.0, "100 %"), (0.9999, "> 99 %"), (0.0001, "< 1 %"), (0.0, "0 %")],
)
def test_percent_is_never_rounded_to_certainty(share: float, text: str) -> None:
    assert format_percent(share).replace("\N{NO-BREAK SPACE}", " ") == text


def test_pluralize_adds_an_s() -> None:
    assert [pluralize(1, "model"), pluralize(2, "model"), pluralize(0, "model")] == [
        "1 model",
        "2 models",
        "0 models",
    ]


def test_join_names_counts_the_rest() -> None:
    assert join_names(["a", "b", "c"], limit=2) == "a, b and 1 more"


def test_size_has_one_unit() -> None:
    assert [
        format_size(number).replace("\N{NO-BREAK SPACE}", " ")
        for number in (999, 12_345, 3_450_000)
    ] == ["999 B", "12 kB", "3.5 MB"]

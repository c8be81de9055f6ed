"""How values are written."""

import pytest

from web.formatting import ago, count, percent, plain, size, some


def test_markdown_in_a_name_is_escaped() -> None:
    assert plain("a_*b*[c](d)`e`$f$<g>~#") == r"a\_\*b\*\[c\]\(d\)\`e\`\$f\$\<g\>\~\#"


@pytest.mark.parametrize("directive", [":material/draw:", ":red[text]", ":smile:", ":+1:"])
def test_a_directive_in_a_name_no_longer_is_one(directive: str) -> None:
    assert plain(directive).startswith("\\:\N{WORD JOINER}")


def test_a_name_of_several_lines_becomes_one() -> None:
    assert plain("a\n\n# b") == r"a \# b"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (40, "40 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (7200, "2 h ago"),
        (864000, "10 days ago"),
    ],
)
def test_an_age_has_one_unit(seconds: float, words: str) -> None:
    assert ago(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.984, "98 %"), (1.0, "100 %"), (0.9999, "> 99 %"), (0.0001, "< 1 %"), (0.0, "0 %")],
)
def test_a_share_is_never_rounded_to_certainty(share: float, words: str) -> None:
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == words


def test_a_count_has_its_plural() -> None:
    assert [count(1, "model"), count(2, "model"), count(0, "model")] == [
        "1 model",
        "2 models",
        "0 models",
    ]


def test_a_long_list_says_how_many_more() -> None:
    assert some(["a", "b", "c"], at_most=2) == "a, b and 1 more"


def test_a_size_has_one_unit() -> None:
    assert [
        size(number).replace("\N{NO-BREAK SPACE}", " ") for number in (999, 12_345, 3_450_000)
    ] == ["999 B", "12 kB", "3.5 MB"]

"""Figures of a promotion."""

from web.tables.promotion import accuracy_rows


def test_accuracy_of_both_versions_has_its_interval() -> None:
    table = accuracy_rows("a_1@1", "b@2", (970, 10, 12, 8)).replace("\N{NO-BREAK SPACE}", " ")
    assert table.splitlines()[2:] == [
        r"| **Champion** a\_1\@1 | 980 of 1,000 | **98.00 %** | 96.9 % to 98.7 % |",
        r"| **Candidate** b\@2 | 982 of 1,000 | **98.20 %** | 97.2 % to 98.9 % |",
    ]


def test_accuracy_without_images_is_a_dash() -> None:
    assert "| 0 of 0 | **\N{EN DASH}** |" in accuracy_rows("a@1", "b@2", (0, 0, 0, 0))

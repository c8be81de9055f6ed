"""Parameters of links."""

from web.url_parameters import unknown_parameters


def test_unknown_parameter_is_told_with_a_similar_one() -> None:
    assert unknown_parameters(["filtr", "sort", "embed", "a*b"], ["filter", "sort"]) == [
        "Unknown link parameter: filtr. Did you mean `filter`?",
        "Unknown link parameter: a\\*b.",
    ]

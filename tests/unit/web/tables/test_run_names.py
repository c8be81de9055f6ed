"""Short names of runs and their links."""

import pytest

from web.tables.run_names import common_prefix, run_links, shorten_names


@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        (["mnist_experiment_12__lenet5", "mnist_experiment_18__cnn"], "mnist_experiment_"),
        (["mnist_run_12", "mnist_run_1"], "mnist_run_"),  # no number is cut
        (["mnist_run_12__a", "mnist_run_12__b"], "mnist_run_12__"),
        (["mnist_run", "mnist_run_2"], "mnist_"),  # no name becomes empty
        (["mnist-", "mnist-a"], ""),
        (["other", "mnist_run"], ""),
        (["a_1", "a_2"], ""),  # too short
        (["sweep 3/x", "sweep 3/y"], "sweep 3/"),
        (["mnist_run_1"], ""),
        ([], ""),
    ],
)
def test_prefix_ends_behind_a_separator(names: list[str], prefix: str) -> None:
    assert common_prefix(names) == prefix


def test_short_names_are_unique() -> None:
    names = [f"mnist_run_{number}" for number in range(1, 200)]
    short = shorten_names(names)
    assert (short["mnist_run_12"], len(set(short.values()))) == ("12", len(names))


def test_link_has_the_full_name_and_shows_the_short_one() -> None:
    assert run_links(["mnist_a&b/c"], {"mnist_a&b/c": "a&b/c"}) == [
        "run?name=mnist_a%26b%2Fc#a%26b%2Fc"
    ]

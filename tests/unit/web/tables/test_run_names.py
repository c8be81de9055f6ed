"""Short names of runs and their links."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.tables.run_names import run_links, shorten_names, usual_prefix

EXPERIMENTS = [f"mnist_experiment_{number}__lenet" for number in range(24)]


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
        ([*EXPERIMENTS, "lenet5_live"], "mnist_experiment_"),  # most names have it
        ([*EXPERIMENTS, "mnist_live"], "mnist_experiment_"),  # the longer one leaves out more
        ([*EXPERIMENTS[:2], "lenet5_live"], "mnist_experiment_"),
        ([*EXPERIMENTS[:2], "lenet5_live", "mlp"], ""),  # half of the names
        (["mnist_run_12__a", "mnist_run_12__b", "mnist_run_13__a"], "mnist_run_"),
        ([*(f"sweep_a_{n}" for n in range(9)), *(f"sweep_b_{n}" for n in range(8))], "sweep_"),
        (["mnist_1", "mnist_2", "1"], ""),  # two names would be 1
    ],
)
def test_prefix_ends_behind_a_separator(names: list[str], prefix: str) -> None:
    assert usual_prefix(names) == prefix


def test_short_names_are_unique() -> None:
    names = [f"mnist_run_{number}" for number in range(1, 200)]
    short = shorten_names(names)
    assert (short["mnist_run_12"], len(set(short.values()))) == ("12", len(names))


def test_name_without_the_prefix_keeps_its_text() -> None:
    short = shorten_names([*EXPERIMENTS, "lenet5_live"])
    assert (short["mnist_experiment_14__lenet"], short["lenet5_live"]) == (
        "14__lenet",
        "lenet5_live",
    )


NAMES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["mnist_", "mnist_run_", "mnist_", ""]),
        st.sampled_from(["1", "2", "3", "run_1", "run_", "_", ""]),
    ),
)


@given(st.lists(NAMES))
def test_any_short_names_are_unique_ends_of_the_names(names: list[str]) -> None:
    short = shorten_names(names)
    assert len(set(short.values())) == len(set(names))
    assert all(name.endswith(text) and (text or not name) for name, text in short.items())


def test_link_has_the_full_name_and_shows_the_short_one() -> None:
    assert run_links(["mnist_a&b/c"], {"mnist_a&b/c": "a&b/c"}) == [
        "run?name=mnist_a%26b%2Fc#a%26b%2Fc"
    ]

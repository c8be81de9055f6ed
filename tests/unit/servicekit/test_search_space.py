"""Search space: valid sweeps and the messages for invalid ones."""

import pytest

from servicekit.search_space import InvalidSweepError, Range, read


def test_read_returns_ranges_choices_and_trials() -> None:
    space = read(
        {
            "learning_rate": [0.001, 0.1, "log"],
            "momentum": [0, 0.95],
            "batch_size": [32, 64],
            "trials": 8,
        }
    )
    assert space.ranges == {"learning_rate": Range(0.001, 0.1, True), "momentum": Range(0, 0.95)}  # noqa: FBT003
    assert (space.choices, space.trials) == ({"batch_size": (32, 64)}, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"epochs": [1, 2]},
            "unknown key .epochs.. Use learning_rate, momentum",
        ),
        ({"trials": 0}, "trials must be an integer from 1 to 200"),
        ({"trials": True}, "trials must be an integer"),
        ({"trials": None}, "trials must be an integer"),
        ({"learning_rate": [0.1]}, "learning_rate must be two bounds"),
        ({"learning_rate": 0.1}, "learning_rate must be two bounds"),
        ({"learning_rate": [0.1, "high"]}, "learning_rate must be two bounds"),
        ({"learning_rate": [0.1, float("inf")]}, "learning_rate must be two bounds"),
        ({"learning_rate": [0.1, 0.2, "exp"]}, "learning_rate must be two bounds"),
        ({"learning_rate": [0.2, 0.1]}, r"lower bound 0\.2 must be below the upper bound 0\.1"),
        ({"learning_rate": [0, 0.1]}, "lower bound 0 must be larger"),
        ({"momentum": [0, 0.5, "log"]}, "lower bound 0 must be larger"),
        ({"momentum": [0.5, 1.5]}, "momentum: the upper bound must be at most 1"),
        ({"batch_size": []}, "batch_size must list 1 to 20"),
        ({"batch_size": [32, 32]}, "different positive integers"),
        ({"batch_size": [0]}, "different positive integers"),
        ({"batch_size": [1.5]}, "different positive integers"),
    ],
)
def test_read_invalid_sweep_names_the_key(changes: dict[str, object], message: str) -> None:
    sweep = {"learning_rate": [0.001, 0.1, "log"], "trials": 3} | changes
    with pytest.raises(InvalidSweepError, match=message):
        read(sweep)


@pytest.mark.parametrize("sweep", [[], "all", 3])
def test_read_of_no_object_says_so(sweep: object) -> None:
    with pytest.raises(InvalidSweepError, match="sweep must be an object of learning_rate"):
        read(sweep)


def test_read_without_a_range_says_so() -> None:
    with pytest.raises(InvalidSweepError, match="must vary something"):
        read({"trials": 3})

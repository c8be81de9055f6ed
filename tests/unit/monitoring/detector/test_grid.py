"""Quantile grid: places by hand, ties, rare classes and the rule about tails."""

import json

import numpy as np
import pytest

from monitoring.detector.grid import BODY, TAILS, Grid, Group, grid_points


def one_class(values: list[float]) -> Grid:
    column = np.array(values, np.float64)[:, None]
    return Grid.fit(column, np.zeros(len(values), np.int64), 1)


def place(grid: Grid, value: float, tie: float) -> float:
    places = grid.places(np.array([[value]]), np.zeros(1, np.int64), np.array([[tie]]))
    return float(places[0, 0])


@pytest.mark.parametrize(
    ("images", "tails"),
    [(100, 0), (499, 0), (500, 1), (1000, 2), (2500, 3), (5000, 4), (10_000, 5)],
)
def test_tail_points_have_five_images_beyond(images: int, tails: int) -> None:
    points = grid_points(images)
    assert len(points) == len(BODY) + 2 * tails
    assert points == sorted(points)
    assert points[:tails] == list(TAILS[len(TAILS) - tails :])


def test_places_between_grid_points_are_spread_by_the_tie() -> None:
    grid = one_class([float(value) for value in range(1, 101)])
    # The quantile .5 is the 50th value and .55 the 55th: 52 lies between them.
    assert place(grid, 52, 0.0) == pytest.approx(0.5)
    assert place(grid, 52, 0.5) == pytest.approx(0.525)
    assert place(grid, 52.5, 0.5) == pytest.approx(0.525)
    assert place(grid, 0, 0.5) == pytest.approx(0.01)
    assert place(grid, 101, 0.5) == pytest.approx(0.99)


def test_value_of_several_grid_points_is_spread_over_them() -> None:
    grid = one_class([0.0] * 40 + [5.0] * 20 + [9.0] * 40)
    assert (place(grid, 0, 0), place(grid, 0, 1)) == pytest.approx((0, 0.45), abs=1e-8)
    assert (place(grid, 5, 0), place(grid, 5, 1)) == pytest.approx((0.4, 0.65))
    assert (place(grid, 9, 0), place(grid, 9, 1)) == pytest.approx((0.6, 1), abs=1e-8)


def test_places_stay_within_0_and_1() -> None:
    grid = one_class([7.0] * 100)
    assert 0 < place(grid, 7, 0.0) < place(grid, 7, 1.0) < 1


def test_places_are_uniform_for_images_like_the_reference() -> None:
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(size=6000), np.round(rng.exponential(size=6000), 1)], axis=1)
    classes = rng.integers(0, 3, 6000)
    grid = Grid.fit(values[:3000], classes[:3000], 3)
    places = grid.places(values[3000:], classes[3000:], rng.random((3000, 2)))
    shares = [np.histogram(places[:, feature], 10, (0, 1))[0] / 3000 for feature in range(2)]
    assert np.abs(np.array(shares) - 0.1).max() < 0.03


def test_place_is_that_within_the_class() -> None:
    values = np.arange(200, dtype=np.float64)[:, None]
    classes = np.repeat([0, 1], 100)
    grid = Grid.fit(values, classes, 2)
    middle = np.array([[150.0], [150.0]])
    places = grid.places(middle, np.array([0, 1]), np.full((2, 1), 0.5))
    assert places[:, 0] == pytest.approx([0.99, 0.525])


def test_rare_class_is_compared_with_all() -> None:
    values = np.arange(149, dtype=np.float64)[:, None]
    grid = Grid.fit(values, np.repeat([0, 1], [100, 49]), 2)
    assert grid.groups[0] is not None
    assert grid.groups[1] is None
    [[place_of_rare]] = grid.places(np.array([[75.0]]), np.array([1]), np.array([[0.5]]))
    assert place_of_rare == pytest.approx(0.525)


@pytest.mark.parametrize("size", [1, 5, 63, 65])
def test_places_do_not_depend_on_the_block(size: int) -> None:
    rng = np.random.default_rng(1)
    values, classes, ties = rng.normal(size=(200, 3)), rng.integers(0, 2, 200), rng.random((200, 3))
    grid = Grid.fit(values, classes, 2)
    parts = [
        grid.places(values[at : at + size], classes[at : at + size], ties[at : at + size])
        for at in range(0, 200, size)
    ]
    assert np.concatenate(parts).tobytes() == grid.places(values, classes, ties).tobytes()


def test_band_gives_quantiles_by_class() -> None:
    grid = one_class([float(value) for value in range(1, 101)])
    assert grid.band(0, 0.05, 0.95).tolist() == [[5, 95]]


def test_grid_returns_from_json() -> None:
    rng = np.random.default_rng(2)
    values, classes = np.round(rng.normal(size=(1000, 2)), 2), rng.integers(0, 3, 1000)
    grid = Grid.fit(values, classes, 4)  # the last class has no image
    again = Grid.from_json(json.loads(json.dumps(grid.to_json())), 2, 4)
    ties = rng.random((1000, 2))
    assert (again.places(values, classes, ties) == grid.places(values, classes, ties)).all()
    assert again.groups[3] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 0}, "number of images"),
        ({"images": 5000}, "one quantile for each"),
        ({"quantiles": [[float("nan")] * len(BODY)]}, "finite and ascending"),
        ({"quantiles": [list(range(len(BODY), 0, -1))]}, "finite and ascending"),
    ],
)
def test_damaged_group_raises(change: dict[str, object], message: str) -> None:
    group = {"images": 100, "quantiles": [list(range(len(BODY)))]}
    assert Grid.from_json({"pooled": group, "classes": [group]}, 1, 1).pooled.images == 100
    with pytest.raises(ValueError, match=message):
        Grid.from_json({"pooled": group | change, "classes": [group]}, 1, 1)


def test_other_number_of_classes_raises() -> None:
    group = Group.fit(np.arange(100.0)[:, None])
    document = Grid(group, (group, group)).to_json()
    with pytest.raises(ValueError, match="one group for each class"):
        Grid.from_json(document, 1, 3)

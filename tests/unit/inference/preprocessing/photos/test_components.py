"""Connected components: labels, areas and boxes from runs."""

import numpy as np
import pytest

from inference.preprocessing.photos.components import Mask, find_components, find_runs


def flood(mask: Mask) -> list[set[tuple[int, int]]]:
    """Return the components of a mask, pixel by pixel."""
    left = {(int(row), int(column)) for row, column in zip(*np.nonzero(mask), strict=True)}
    found = []
    while left:
        stack = [left.pop()]
        component = set(stack)
        while stack:
            row, column = stack.pop()
            near = {(row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1)} & left
            left -= near
            component |= near
            stack += near
        found.append(component)
    return found


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.6, 0.95, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (23, 31)])
def test_find_components_equals_a_flood(shape: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(0).random(shape) < share
    components = find_components(mask)
    expected = flood(mask)
    assert components.area.size == len(expected)
    for number in range(components.area.size):
        part = components.paint(np.arange(components.area.size) == number)
        pixels = {(int(row), int(column)) for row, column in zip(*np.nonzero(part), strict=True)}
        assert pixels in expected
        rows, columns = {row for row, _ in pixels}, {column for _, column in pixels}
        assert components.area[number] == len(pixels)
        assert (components.top[number], components.bottom[number]) == (min(rows), max(rows) + 1)
        assert (components.left[number], components.right[number]) == (
            min(columns),
            max(columns) + 1,
        )


def test_find_components_joins_a_spiral() -> None:
    mask = np.zeros((41, 41), np.bool_)
    for ring in range(0, 20, 2):
        mask[ring, ring : 41 - ring] = mask[40 - ring, ring : 41 - ring] = True
        mask[ring : 41 - ring, 40 - ring] = mask[ring + 2 : 41 - ring, ring] = True
        mask[ring + 2, ring : ring + 3] = True
    assert find_components(mask).area.tolist() == [int(mask.sum())]


def test_runs_paint_the_mask_again() -> None:
    mask = np.random.default_rng(1).random((17, 29)) < 0.5
    runs = find_runs(mask)
    assert (runs.paint(np.ones(runs.row.size, np.bool_)) == mask).all()

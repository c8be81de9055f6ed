"""Progress output without a terminal."""

import pytest

from training.progress import ProgressBars
from training.run import Progress


def test_bars_without_terminal_print_a_line_per_epoch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ProgressBars(experiments=1, width=1) as bars:
        for epoch, step in ((1, 1), (1, 2), (2, 3)):
            bars.show("small", Progress(epoch, step, steps=4, loss=0.5))
        bars.finish("small", "finished in 1 s")
    assert capsys.readouterr().err.splitlines() == [
        "small: epoch 1, step 1 of 4, loss 0.5000",
        "small: epoch 2, step 3 of 4, loss 0.5000",
        "small: finished in 1 s",
    ]

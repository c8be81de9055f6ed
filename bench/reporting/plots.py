"""SVG plots of doc/performance.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

SIZE_INCHES = (7.2, 4.2)
# Reproducible output: no date and no random ids. Text stays text.
mpl.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.family": "sans-serif"})


def write_lines(
    path: Path, series: Mapping[str, Mapping[int, Sequence[float]]], title: str, x: str, y: str
) -> None:
    """Draw each series as a line of medians on logarithmic axes, with the range of its samples.

    `series` maps a name to samples by x value.
    """
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes: Any = figure.subplots()
    for name, samples in series.items():
        positions = list(samples)
        line = axes.plot(
            positions,
            [median(samples[position]) for position in positions],
            marker="o",
            markersize=4,
            label=name,
        )[0]
        low, high = (
            [min(samples[position]) for position in positions],
            [max(samples[position]) for position in positions],
        )
        axes.fill_between(positions, low, high, alpha=0.15, color=line.get_color())
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({position for samples in series.values() for position in samples})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=len(series), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="svg", metadata={"Date": None})

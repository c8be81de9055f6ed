"""Progress bars: one over all experiments, and one over the steps of each running experiment.

If stderr is not a terminal, a line per epoch and per experiment replaces the bars, so that a log
stays readable.
"""

import sys
from types import TracebackType
from typing import Any

from tqdm import tqdm

from training.run import Progress


class ProgressBars:
    """Context manager for the bars of one training command.

    `width` is the number of experiments that run in parallel.
    """

    def __init__(self, experiments: int, width: int) -> None:
        self._hidden = not sys.stderr.isatty()
        self._all: tqdm[Any] = tqdm(
            total=experiments, desc="experiments", unit="", disable=self._hidden
        )
        self._free = list(range(width, 0, -1))  # screen lines below the first bar
        self._running: dict[str, tuple[int, tqdm[Any]]] = {}
        self._epochs: dict[str, int] = {}

    def __enter__(self) -> "ProgressBars":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, bar in self._running.values():
            bar.close()
        self._all.close()

    def show(self, name: str, progress: Progress) -> None:
        """Show the progress of a running experiment."""
        if name not in self._running:
            line = self._free.pop()
            done = progress.step  # steps before a resume must not count toward the speed
            started: tqdm[Any] = tqdm(
                desc=name,
                unit="step",
                leave=False,
                disable=self._hidden,
                position=line,
                initial=done,
            )
            self._running[name] = line, started
        _, bar = self._running[name]
        bar.total = progress.steps
        bar.set_postfix_str(f"epoch {progress.epoch}, loss {progress.loss:.4f}", refresh=False)
        bar.update(progress.step - bar.n)
        if self._hidden and self._epochs.get(name) != progress.epoch:
            self._epochs[name] = progress.epoch
            position = f"epoch {progress.epoch}, step {progress.step} of {progress.steps}"
            self._write_line(f"{name}: {position}, loss {progress.loss:.4f}")

    def finish(self, name: str, summary: str) -> None:
        """Print the summary of a finished experiment and advance the first bar."""
        if name in self._running:
            line, bar = self._running.pop(name)
            bar.close()
            self._free.append(line)
        self._write_line(f"{name}: {summary}")
        self._all.update()

    def _write_line(self, text: str) -> None:
        tqdm.write(text, file=sys.stderr)
        sys.stderr.flush()

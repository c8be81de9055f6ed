"""`make bench-monitor`: the monitor of a running stack with MNIST's test digits.

    python -m tests.resilience.monitor_bench [IMAGES] [SHUFFLES]

It sends digits by the API to the shipped LeNet-5, in streams of their own: IMAGES shuffled digits
(10,000, SHUFFLES times 3), drifts, and what must not warn. Each stream begins with an empty log.
Then it kills the monitor at random moments, and measures its cost. MNIST_PATH names mnist.npz.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from PIL import Image

from tests.resilience.stack import print_figure
from tests.support.load import Load, Question, make_questions
from tests.support.monitored import draw
from tests.support.monitored_stack import CHAMPION, MonitoredStack, Pixels, png, wait_for

ORDINARY, DRIFTED, GRADUAL = 200, 120, 300
SOON, LATE = 60, 125  # images from the onset to the alert
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALERTS = """
SELECT families, severity, path, image_number, features, onset_at, opened_at FROM alerts
WHERE family <> 'labels' ORDER BY id
"""
INFORMATION = "SELECT count(*) FROM alerts WHERE family = 'labels'"
HIGHEST = """
SELECT d.family, greatest(max(c.highest), max(d.evidence))
FROM drift_monitors d LEFT JOIN drift_checks c ON c.monitor_id = d.id
WHERE d.family <> 'accuracy' AND d.images > 0 GROUP BY d.family ORDER BY d.family
"""
IMAGES = "SELECT coalesce(max(images), 0) FROM drift_monitors WHERE family = 'inputs'"
WINDOWS, WINDOW_SECONDS = 40, 1.5  # in pairs with and without the monitor
CONNECTIONS = 8
LOAD_IMAGES = 40_000  # in all windows together
STEADY_SECONDS, STEADY_REQUESTS = 20, 1000
BACKEND = "SELECT pid FROM pg_stat_activity WHERE application_name = 'mlops monitor'"


class Drift(NamedTuple):
    """A change of images. A gradual one grows over its images."""

    name: str
    change: Callable[[Pixels, float, np.random.Generator], Pixels]
    is_gradual: bool = False


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures and return the exit code: 1 if a promise was broken."""
    if not os.environ.get("MNIST_PATH"):
        print("Set MNIST_PATH to an mnist.npz.", file=sys.stderr)
        return 2
    images = int(arguments[0]) if arguments else 10_000
    shuffles = int(arguments[1]) if len(arguments) > 1 else 3
    with np.load(os.environ["MNIST_PATH"]) as arrays:
        digits, labels = arrays["x_test"], arrays["y_test"]
    with tempfile.TemporaryDirectory(prefix="mlops-monitor-") as folder, _stack(folder) as stack:
        bench = Bench(stack, digits, labels)
        bench.measure_controls(images, shuffles)
        bench.measure_drifts()
        bench.measure_silence()
        bench.measure_kills()
        bench.measure_cost()
    print("\nAll promises kept." if not bench.broken else f"\nBroken: {'; '.join(bench.broken)}")
    return 1 if bench.broken else 0


@contextmanager
def _stack(folder: str) -> Iterator[MonitoredStack]:
    stack = MonitoredStack(Path(folder))
    try:
        stack.start_database()
        yield stack
    finally:
        stack.stop()


class Bench:
    """Streams of a stack, and the promises that were broken."""

    def __init__(self, stack: MonitoredStack, digits: Pixels, labels: Any) -> None:
        self._stack, self._digits, self._labels = stack, digits, labels
        self._random = np.random.default_rng(1)
        self.broken: list[str] = []

    def measure_controls(self, images: int, shuffles: int) -> None:
        """Send shuffled digits, which must not warn."""
        for number in range(1, shuffles + 1):
            self._stack.empty()
            started = time.monotonic()
            before = self._cpu_seconds()
            self._stack.send(self._png(self._shuffled(images)), batch=500)
            self._stack.settle()
            seconds, cpu = time.monotonic() - started, self._cpu_seconds() - before
            [(examined,)] = self._stack.rows(IMAGES)
            cost = f"{examined} examined in {seconds:.0f} s, {cpu / examined * 1e6:.0f} us CPU each"
            self._expect_silence(f"{images} shuffled digits, {number}", cost)

    def measure_drifts(self) -> None:
        """Send drifts, which must open one alert soon."""
        for drift in DRIFTS:
            self._stack.empty()
            self._stack.send(self._png(self._shuffled(ORDINARY)))
            self._stack.settle()
            count = GRADUAL if drift.is_gradual else DRIFTED
            chosen = self._shuffled(count)
            amounts = np.linspace(0, 1, count) if drift.is_gradual else np.ones(count)
            changed = [
                drift.change(pixels, amount, self._random)
                for pixels, amount in zip(chosen, amounts.tolist(), strict=True)
            ]
            started = time.time()
            for start in range(0, count, 10):
                self._stack.send([png(pixels) for pixels in changed[start : start + 10]])
                self._stack.until_shipped()
            self._stack.settle()
            self._expect_alert(drift, started)

    def measure_silence(self) -> None:
        """Send what is no drift."""
        for side in (140, 280, 1000):
            pixels = self._shuffled(800)
            self._silent(f"digits of {side} px", [png(image, side) for image in pixels])
        sevens = self._digits[self._labels == 7][:100]
        usual = self._png(self._shuffled(ORDINARY))
        self._silent("100 sevens", [*usual, *self._png(sevens)])
        self._silent("one image 500 times", [*usual, *usual[:1] * 500])
        self._stack.empty()
        turned = [png(_turn(image, 1.0, self._random)) for image in self._shuffled(500)]
        self._stack.send(usual)
        self._stack.send(turned, source="mlops-evaluation")
        self._stack.settle()
        self._expect_silence("evaluation of 500 turned digits", "")

    def measure_kills(self) -> None:
        """Kill the monitor at random moments, and compare with an undisturbed run."""
        self._stack.empty()
        chance, kills = random.Random(2), 0
        images = [*self._shuffled(600), *(_turn(i, 1.0, self._random) for i in self._shuffled(400))]
        for start in range(0, 1000, 50):
            self._stack.send([png(pixels) for pixels in images[start : start + 50]])
            time.sleep(chance.uniform(0, 1.0))
            monitor = self._stack.monitor()
            if monitor is not None:
                monitor.kill()
                kills += 1
        self._stack.settle()
        disturbed = self._stack.alerts(), self._stack.states()
        self._stack.examine_again()
        is_equal = (self._stack.alerts(), self._stack.states()) == disturbed
        text = "equal" if is_equal else "DIFFERENT"
        print_figure(f"alerts and states after {kills} kills", text)
        self._note(is_equal, "kills change figures")

    def measure_cost(self) -> None:
        """Measure throughput with a running and with a stopped monitor, in turns.

        The monitor has its default settings. When it runs, it also reads what came meanwhile.
        """
        del self._stack.environment["MONITOR_IMAGES_PER_SECOND"]
        self._stack.empty()
        images = [
            self._random.integers(0, 256, (28, 28), dtype=np.uint8)
            for _ in range(LOAD_IMAGES + STEADY_SECONDS * STEADY_REQUESTS)
        ]
        questions = make_questions([CHAMPION], self._png(images))
        monitor = wait_for(self._stack.monitor)
        rates: dict[bool, list[float]] = {True: [], False: []}
        share = LOAD_IMAGES // WINDOWS
        for window in range(WINDOWS):
            is_running = window % 2 == window // 2 % 2
            (monitor.resume if is_running else monitor.suspend)()
            part = questions[window * share : (window + 1) * share]
            with Load(self._stack.port, part, CONNECTIONS, None) as load:
                time.sleep(WINDOW_SECONDS)
            answered = sum(answer.status == 200 for answer in load.answers)
            rates[is_running].append(answered / WINDOW_SECONDS)
        monitor.resume()
        self._stack.settle()
        self._measure_steady_load(questions[WINDOWS * share :])
        pairs = zip(rates[True], rates[False], strict=True)
        ratio = statistics.median(one / other for one, other in pairs)
        for is_running, values in rates.items():
            name = "with" if is_running else "without"
            print_figure(f"requests per second {name} the monitor", f"{np.median(values):.0f}")
        print_figure("median of their ratios", f"{ratio:.3f} (goal 0.97)")
        memory = monitor.memory_info().rss / 2**20
        print_figure("memory of the monitor", f"{memory:.0f} MB")
        self._note(memory <= 150, "memory")

    def _measure_steady_load(self, questions: Sequence[Question]) -> None:
        """Measure the CPU time of the monitor and of its connection under a steady load."""
        monitor: psutil.Process = wait_for(self._stack.monitor)
        [(backend,)] = self._stack.rows(BACKEND)
        processes = (monitor, psutil.Process(backend))
        before = sum(sum(process.cpu_times()[:2]) for process in processes)
        with Load(self._stack.port, questions, CONNECTIONS, STEADY_REQUESTS):
            time.sleep(STEADY_SECONDS)
        seconds = sum(sum(process.cpu_times()[:2]) for process in processes) - before
        print_figure(
            f"cores of the monitor and its connection at {STEADY_REQUESTS} images per second",
            f"{seconds / STEADY_SECONDS:.3f}",
        )

    def _silent(self, name: str, images: Sequence[bytes]) -> None:
        self._stack.empty()
        self._stack.send(images)
        self._stack.settle()
        self._expect_silence(name, "")

    def _expect_silence(self, name: str, text: str) -> None:
        alerts = self._stack.rows(ALERTS)
        [(information,)] = self._stack.rows(INFORMATION)
        highest = ", ".join(
            f"{family} {value:.1f}"
            for family, value in self._stack.rows(HIGHEST)
            if value is not None
        )
        print_figure(name, f"{len(alerts)} warnings, {information} informations; {highest}. {text}")
        self._note(not alerts, name)

    def _expect_alert(self, drift: Drift, started: float) -> None:
        alerts = self._stack.rows(ALERTS)
        limit = LATE if drift.is_gradual else SOON
        if not alerts:
            print_figure(drift.name, "NO ALERT")
            self._note(False, drift.name)  # noqa: FBT003
            return
        families, severity, _, number, features, _, opened = alerts[0]
        names = ", ".join(f"{entry['feature']} {entry['share']:.2f}" for entry in features[:4])
        print_figure(
            drift.name,
            f"{len(alerts)} alert after {number - ORDINARY} images and "
            f"{opened.timestamp() - started:.1f} s, {severity}, {'+'.join(families)}: {names}",
        )
        self._note(len(alerts) == 1 and number - ORDINARY <= limit, drift.name)

    def _note(self, is_kept: bool, name: str) -> None:  # noqa: FBT001
        if not is_kept:
            self.broken.append(name)

    def _cpu_seconds(self) -> float:
        monitor: psutil.Process = wait_for(self._stack.monitor)
        times = monitor.cpu_times()
        return float(times.user + times.system)

    def _shuffled(self, count: int) -> Pixels:
        order = self._random.permutation(len(self._digits))[:count]
        return np.asarray(self._digits[order])

    @staticmethod
    def _png(images: Any) -> list[bytes]:
        return [png(pixels) for pixels in images]


def _turn(pixels: Pixels, amount: float, _: np.random.Generator) -> Pixels:
    turned = Image.fromarray(pixels).rotate(15 * amount, Image.Resampling.BILINEAR)
    return np.asarray(turned)


def _turn_far(pixels: Pixels, amount: float, chance: np.random.Generator) -> Pixels:
    return _turn(pixels, 2 * amount, chance)


def _noise(pixels: Pixels, amount: float, chance: np.random.Generator) -> Pixels:
    noisy = pixels + chance.normal(0, 10 * amount, pixels.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _dead_row(pixels: Pixels, _: float, __: np.random.Generator) -> Pixels:
    changed = pixels.copy()
    changed[14] = 0
    return changed


def _letter(_: Pixels, __: float, chance: np.random.Generator) -> Pixels:
    return np.asarray(draw(int(chance.integers(2**31)), 1, texts=LETTERS).pixels[0])


DRIFTS = (
    Drift("rotation 15", _turn),
    Drift("noise sd 10", _noise),
    Drift("dead row 14", _dead_row),
    Drift("letters", _letter),
    Drift("rotation to 30, gradual", _turn_far, is_gradual=True),
    Drift("noise to sd 10, gradual", _noise, is_gradual=True),
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Training command: trains experiments in parallel and publishes their results.

    python -m training.train [NAME ...]    without a name: all experiments

One single-threaded process per experiment, as many in parallel as there are cores (`--jobs`). After
each epoch the state is saved in the work directory. After Ctrl-C, SIGTERM or a power failure, the
same command resumes there. Once all named experiments are finished, the command replaces models/,
data.csv and the files of data.d, and empties the work directory. The next command then starts from
the beginning.
"""

import argparse
import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path

from training import csv_rows, dataset, publish, worker
from training.experiment import EXPERIMENTS, Experiment, InvalidExperimentError, read_all
from training.job import Job
from training.progress import ProgressBars
from training.provenance import Provenance, provenance

Origins = Mapping[str, Provenance]  # by the experiment's name
INTERRUPTED_STATUS = 128 + signal.SIGINT  # the shells' exit status for Ctrl-C


class TrainingFailedError(RuntimeError):
    """An experiment failed, or another training holds the lock of the work directory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns 0 if all named experiments are published, 1 on an error, and 130 if interrupted.
    """
    options = _parse_options(arguments)
    signal.signal(signal.SIGTERM, _raise_interrupt)
    try:
        experiments = _select(read_all(options.experiments), options.names)
        for path in {
            csv_rows.csv_path(csv_rows.task_cell(experiment), options.data_csv)
            for experiment in experiments
        }:
            csv_rows.read_rows(path)  # before hours of training
        with _exclusive_lock(options.work):
            data_sha256 = dataset.load().sha256
            origins = {
                experiment.name: provenance(data_sha256, experiment.task)
                for experiment in experiments
            }
            _train(experiments, origins, options.work, options.jobs)
            _publish(experiments, origins, options)
    except KeyboardInterrupt:
        print("Stopped. The same command resumes after the last finished epochs.", file=sys.stderr)
        return INTERRUPTED_STATUS
    except (
        InvalidExperimentError,
        dataset.InvalidDatasetError,
        csv_rows.UnmergeableFileError,
        TrainingFailedError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description="Train and publish experiments."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="experiments to train (default: all)"
    )
    parser.add_argument(
        "--experiments", type=Path, default=EXPERIMENTS, help="directory with experiment files"
    )
    parser.add_argument(
        "--models", type=Path, default=Path("models"), help="directory for published models"
    )
    parser.add_argument(
        "--data-csv",
        type=Path,
        default=Path("data.csv"),
        help="file for published rows; other tasks use data.d next to it",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(".local/train"),
        help="directory for checkpoints and unpublished results",
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="number of parallel experiments"
    )
    return parser.parse_args(arguments)


def _select(experiments: list[Experiment], names: list[str]) -> list[Experiment]:
    unknown = set(names) - {experiment.name for experiment in experiments}
    if unknown:
        raise InvalidExperimentError(f"unknown experiment: {', '.join(sorted(unknown))}")
    return [experiment for experiment in experiments if not names or experiment.name in names]


def _train(experiments: list[Experiment], origins: Origins, work: Path, jobs: int) -> None:
    """Train and stage the experiments that are not staged yet.

    Raises TrainingFailedError at the end if an experiment failed.
    """
    waiting = [
        experiment for experiment in experiments if _staged_row(experiment, origins, work) is None
    ]
    # Start the longest runs first, so that all cores stay busy until the end.
    waiting.sort(key=lambda experiment: experiment.architecture.name != "deep_cnn")
    running: dict[Connection, str] = {}
    failures = []
    with ProgressBars(len(waiting), jobs) as bars, worker.terminate_on_exit():
        while waiting or running:
            while waiting and len(running) < max(jobs, 1):
                experiment = waiting.pop(0)
                job = Job(experiment, origins[experiment.name], work / experiment.name)
                running[worker.start(job)] = experiment.name
            for connection in wait(list(running)):
                # wait() is typed to return more kinds of objects than it gets here.
                assert isinstance(connection, Connection)  # noqa: S101
                message = worker.receive(connection)
                if isinstance(message, worker.Finished):
                    name = running.pop(connection)
                    bars.finish(name, message.summary)
                    failures += [f"{name}: {message.summary}"] if message.failed else []
                else:
                    bars.show(running[connection], message)
    if failures:
        raise TrainingFailedError("Nothing was published. Failures:\n" + "\n".join(failures))


def _publish(experiments: list[Experiment], origins: Origins, options: argparse.Namespace) -> None:
    rows = [
        row
        for experiment in experiments
        if (row := _staged_row(experiment, origins, options.work)) is not None
    ]
    publish.publish(rows, options.work, options.models, options.data_csv)
    for experiment in experiments:
        shutil.rmtree(options.work / experiment.name)
    files = sorted({str(csv_rows.csv_path(row, options.data_csv)) for row in rows})
    print(
        f"published {len(rows)} experiments in {options.models} and {', '.join(files)}",
        file=sys.stderr,
    )


def _staged_row(experiment: Experiment, origins: Origins, work: Path) -> dict[str, str] | None:
    return publish.staged_row(
        work / experiment.name, origins[experiment.name].fingerprint(experiment)
    )


@contextmanager
def _exclusive_lock(work: Path) -> Iterator[None]:
    """Hold the work directory's lock. The kernel releases it when the process ends."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingFailedError(
                f"another training uses {work}. Wait for it, or pass another --work directory."
            ) from None
        yield


def _raise_interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

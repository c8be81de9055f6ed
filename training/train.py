"""Train experiments and publish them.

`python -m training.train [NAME ...]`, all of them without a name.

As many experiments train side by side as there are cores (`--jobs`), each with one thread. What is
done is kept in the work directory after every epoch: stopped by Ctrl-C, SIGTERM or a power cut, the
same command goes on from there. When all named experiments are finished, models/, data.csv and the
files of data.d are replaced and the work directory is emptied, so the next command trains anew.
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

from training import dataset, publish, worker
from training.experiment import EXPERIMENTS, Experiment, InvalidExperimentError, read_all
from training.progress import Bars
from training.provenance import Provenance, provenance

Origins = Mapping[str, Provenance]  # by the experiment's name
STOPPED = 128 + signal.SIGINT  # the exit status that shells know


class TrainingFailedError(RuntimeError):
    """An experiment ended without a result, or another training holds the work directory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    The exit status is 0 when everything named is published, 130 when it was stopped.
    """
    options = _options(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        experiments = _chosen(read_all(options.experiments), options.names)
        with _only_one(options.work):
            data_sha256 = dataset.load().sha256
            origins = {
                experiment.name: provenance(data_sha256, experiment.task)
                for experiment in experiments
            }
            _train(experiments, origins, options.work, options.jobs)
            _publish(experiments, origins, options)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last finished epochs", file=sys.stderr)
        return STOPPED
    except (InvalidExperimentError, dataset.InvalidDatasetError, TrainingFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description="Train and publish experiments."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="experiments to train (default: all)"
    )
    parser.add_argument(
        "--experiments", type=Path, default=EXPERIMENTS, help="directory of the experiments' files"
    )
    parser.add_argument(
        "--models", type=Path, default=Path("models"), help="where models are published"
    )
    parser.add_argument(
        "--data-csv",
        type=Path,
        default=Path("data.csv"),
        help="where rows are published; further tasks: data.d beside it",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(".local/train"),
        help="checkpoints and unpublished results",
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="experiments side by side"
    )
    return parser.parse_args(arguments)


def _chosen(experiments: list[Experiment], names: list[str]) -> list[Experiment]:
    unknown = set(names) - {experiment.name for experiment in experiments}
    if unknown:
        raise InvalidExperimentError(f"no such experiment: {', '.join(sorted(unknown))}")
    return [experiment for experiment in experiments if not names or experiment.name in names]


def _train(experiments: list[Experiment], origins: Origins, work: Path, jobs: int) -> None:
    """Train and stage what is not staged yet.

    Raises TrainingFailedError at the end if an experiment has failed.
    """
    waiting = [
        experiment for experiment in experiments if _staged(experiment, origins, work) is None
    ]
    # The longest first, so that no core idles at the end.
    waiting.sort(key=lambda experiment: experiment.architecture.name != "deep_cnn")
    running: dict[Connection, str] = {}
    failures = []
    with Bars(len(waiting), jobs) as bars, worker.none_survives():
        while waiting or running:
            while waiting and len(running) < max(jobs, 1):
                experiment = waiting.pop(0)
                running[worker.start(experiment, origins[experiment.name], work)] = experiment.name
            for connection in wait(list(running)):
                # Wait gives back what it was given
                assert isinstance(connection, Connection)  # noqa: S101
                message = worker.receive(connection)
                if isinstance(message, worker.Finished):
                    name = running.pop(connection)
                    bars.finish(name, message.summary)
                    failures += [f"{name}: {message.summary}"] if message.failed else []
                else:
                    bars.show(running[connection], message)
    if failures:
        raise TrainingFailedError("nothing is published, because of\n" + "\n".join(failures))


def _publish(experiments: list[Experiment], origins: Origins, options: argparse.Namespace) -> None:
    rows = [
        row
        for experiment in experiments
        if (row := _staged(experiment, origins, options.work)) is not None
    ]
    publish.publish(rows, options.work, options.models, options.data_csv)
    for experiment in experiments:
        shutil.rmtree(options.work / experiment.name)
    files = sorted({str(publish.file_of(row, options.data_csv)) for row in rows})
    print(
        f"published {len(rows)} experiments in {options.models} and {', '.join(files)}",
        file=sys.stderr,
    )


def _staged(experiment: Experiment, origins: Origins, work: Path) -> dict[str, str] | None:
    return publish.staged_row(
        work / experiment.name, origins[experiment.name].fingerprint(experiment)
    )


@contextmanager
def _only_one(work: Path) -> Iterator[None]:
    """Hold the work directory's lock; the system frees it when the process ends, however it ends."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingFailedError(f"another training is using {work}") from None
        yield


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

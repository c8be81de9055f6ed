"""Reproduction: trains a published model again and compares the digests of model.tflite.

    python -m training.reproduce NAME [--version N]

The configuration and the seed are those of the model's card. A shipped experiment is trained on
MNIST. A model of a pipeline run is trained on the split dataset of its run, which is looked up in
PIPELINE_WORK (`.local/pipeline`), or which --data names. The exit status is 0 for equal digests, 1
for different ones, and 2 if the model cannot be trained.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.model_format import layout
from inference.model_format.card import CARD_FILE, LITERT_FILE, Card, InvalidCardError, file_record
from training import dataset, publish, split_dataset, worker
from training.dataset import InvalidDatasetError
from training.experiment import Experiment, InvalidExperimentError, from_config
from training.job import Job
from training.progress import ProgressBars
from training.provenance import Provenance, provenance

EQUAL, DIFFERENT, FAILED = 0, 1, 2
# Finds the split dataset of a model, and may write it into the folder.
DataFinder = Callable[[Card, Experiment, Path], Path]
LOG_CHARACTERS = 2000  # of the end of the log of a failed training


class CannotReproduceError(Exception):
    """The model cannot be trained again. The message says why and what to do."""


@dataclass(frozen=True)
class Comparison:
    """Digests of a published model.tflite and of one trained again.

    `changes` lists the inputs of the training that differ: data, code and libraries.
    """

    published: str
    trained: str
    changes: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Whether the digests are equal."""
        return self.published == self.trained

    def text(self) -> str:
        """Return the comparison for the terminal."""
        lines = [f"published  {self.published}", f"trained    {self.trained}"]
        if self.is_equal:
            lines.append(f"equal: the same {LITERT_FILE}, byte for byte")
            lines += [f"although this differs: {change}" for change in self.changes]
        elif self.changes:
            lines.append("different, because these inputs of the training differ:")
            lines += [f"  {change}" for change in self.changes]
        else:
            lines.append(
                "different, although data, code and library versions are equal. Another processor"
                " rounds differently: compare on the machine that trained the model."
            )
        return "\n".join(lines)


def main(arguments: Sequence[str] | None = None, find: DataFinder | None = None) -> int:
    """Run the command and return its exit status.

    `find` replaces `find_data` for models of a run.
    """
    options = _parse_options(arguments)
    try:
        card = find_card(options.models, options.name, options.version)
        comparison = reproduce(card, options.data, find or find_data)
    except (CannotReproduceError, InvalidDatasetError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    print(comparison.text())
    return EQUAL if comparison.is_equal else DIFFERENT


def find_card(models: Path, name: str, version: int | None) -> Card:
    """Return the card of a version, or of the newest one.

    Raises CannotReproduceError if the version does not exist or was not trained by this project.
    """
    versions = layout.find_versions(models, name)[0]
    number = max(versions, default=0) if version is None else version
    if number not in versions:
        known = ", ".join(map(str, sorted(versions))) or "none"
        raise CannotReproduceError(
            f"{models} has no such version of {name}. Its versions: {known}."
            " Name a model of the Models page."
        )
    try:
        card = Card.read(versions[number].path / CARD_FILE)
    except (OSError, InvalidCardError) as error:
        raise CannotReproduceError(f"{name}: {error}") from None
    if not card.config or LITERT_FILE not in card.files or "sha256" not in card.data:
        raise CannotReproduceError(
            f"{name}, version {number}, was trained elsewhere: its card lacks config or data."
        )
    return card


def find_data(card: Card, experiment: Experiment, _folder: Path) -> Path:
    """Return the split dataset of a card's run in the work directory of the pipeline.

    Raises CannotReproduceError if it is not there.
    """
    work = Path(os.environ.get("PIPELINE_WORK") or ".local/pipeline") / str(card.run.get("id"))
    for path in sorted(work.rglob("*.npz")):
        try:
            if split_dataset.load(path, experiment.task.labels).sha256 == card.data["sha256"]:
                return path
        except InvalidDatasetError:
            continue  # a checkpoint
    raise CannotReproduceError(
        f"{work} does not have the dataset {card.data['dataset_digest']} of run"
        f" {card.run.get('id')}. Pass its npz file with --data (DATA=)."
    )


def reproduce(
    card: Card, data_file: Path | None = None, find: DataFinder = find_data
) -> Comparison:
    """Train the model of a card again in a process of its own, and compare.

    `data_file` names the split dataset of a run's model, else `find` finds it. Raises
    CannotReproduceError and InvalidDatasetError.
    """
    try:
        experiment = from_config(card.experiment, card.config)
    except InvalidExperimentError as error:
        raise CannotReproduceError(f"{error}. The code no longer knows this experiment.") from None
    with tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
        job = _job(card, experiment, Path(folder), data_file, find)
        _train(job)
        trained = file_record((job.folder / publish.MODEL / LITERT_FILE).read_bytes()).sha256
    return Comparison(card.files[LITERT_FILE].sha256, trained, tuple(changes(card, job.provenance)))


def changes(card: Card, now: Provenance) -> Iterator[str]:
    """Yield the inputs of the training that differ from those in the card."""
    pairs = [
        ("data", card.data["sha256"], now.data_sha256),
        ("code", card.code.get("sha256"), now.code_sha256),
        ("keras", card.code.get("keras"), now.keras),
        ("tensorflow", card.code.get("tensorflow"), now.tensorflow),
    ]
    for name, published, current in pairs:
        if published != current:
            yield f"{name}: published with {published}, now {current}"


def _job(
    card: Card,
    experiment: Experiment,
    folder: Path,
    data_file: Path | None,
    find: DataFinder,
) -> Job:
    is_split = "dataset_digest" in card.data
    if is_split:
        path = data_file or find(card, experiment, folder)
        sha256 = split_dataset.load(path, experiment.task.labels).sha256
    else:
        path, sha256 = None, dataset.load().sha256
    inputs = provenance(sha256, experiment.task, is_split_dataset=is_split)
    return Job(experiment, inputs, folder, path)


def _train(job: Job) -> None:
    """Train in a worker process. Raises CannotReproduceError if it fails or diverges."""
    with ProgressBars(1, 1) as bars, worker.terminate_on_exit():
        connection = worker.start(job)
        message = worker.receive(connection)
        while not isinstance(message, worker.Finished):
            bars.show(job.experiment.name, message)
            message = worker.receive(connection)
        bars.finish(job.experiment.name, message.summary)
    if message.failed or not (job.folder / publish.MODEL).exists():
        log = (job.folder / worker.LOG_FILE).read_text(errors="replace")[-LOG_CHARACTERS:]
        raise CannotReproduceError(f"The training gave no model: {message.summary}\n{log}")


def _parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.reproduce",
        description="Train a published model again and compare the digests of model.tflite.",
    )
    parser.add_argument("name", metavar="NAME", help="the model's name")
    parser.add_argument("--version", type=int, help="its version (default: the newest)")
    parser.add_argument("--data", type=Path, help="split dataset (npz) of a run's model")
    parser.add_argument(
        "--models",
        type=Path,
        default=Path(os.environ.get("MODELS_DIR") or "models"),
        help="directory of the published models",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

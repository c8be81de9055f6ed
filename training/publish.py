"""Publication: writes models/<experiment>/ and the rows of data.csv from finished runs.

It has two steps, so that models/ and the CSV files change together at the end. `stage` writes the
model, its card and its row next to the checkpoint in the work directory. `publish` renames the
models into place and then replaces the CSV files. A stopped training leaves both unchanged.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.compiler.conversion import measure_parity, to_litert
from inference.model_format.atomic_file import write_atomically
from inference.model_format.card import (
    CARD_FILE,
    KERAS_FILE,
    LITERT_FILE,
    MNIST_INPUT,
    Card,
    InputSpec,
    Parity,
    file_record,
)
from inference.model_format.layout import VERSION_PATTERN
from inference.probe.robustness import measure, version_digest
from inference.runtime.network import Network
from monitoring.references.build import add_reference
from monitoring.references.labeled_images import LabeledImages
from training.csv_rows import COLUMNS, csv_path, merge_rows, task_cell
from training.dataset import Digits
from training.experiment import Experiment
from training.provenance import NO_ORIGIN, Origin, Provenance
from training.run import Curve, Run

MODEL = "model"  # directory of the staged model, next to the checkpoint
PARITY_BATCH = 500
SIGNIFICANT_DIGITS = 7  # of a published loss: the decimal precision of float32


class ParityError(RuntimeError):
    """LiteRT and Keras disagree on the test digits, so the model must not be published."""


def stage(
    experiment: Experiment,
    run: Run,
    test: Digits,
    provenance: Provenance,
    folder: Path,
    origin: Origin = NO_ORIGIN,
) -> None:
    """Write `folder`/model, and then `folder`/row.json.

    The model is skipped if the experiment does not keep it or if the run diverged. Its card names
    `origin`. Raises ParityError if LiteRT differs from Keras by more than rounding, or in a label.
    """
    model = folder / MODEL
    shutil.rmtree(model, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    if experiment.keep_model and run.outcome == "finished":
        _write_model(experiment, run, test, provenance, model, origin)
    row = {
        "fingerprint": provenance.fingerprint(experiment),
        "row": build_row(experiment, run, datetime.now(UTC)),
    }
    write_atomically(folder / "row.json", json.dumps(row, allow_nan=False).encode())


def staged_row(folder: Path, fingerprint: str) -> dict[str, str] | None:
    """Return the staged row of a finished run with this fingerprint, or None."""
    try:
        staged = json.loads((folder / "row.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return dict(staged["row"]) if staged.get("fingerprint") == fingerprint else None


def publish(rows: list[dict[str, str]], work: Path, models: Path, data_csv: Path) -> None:
    """Move the staged models of these rows into `models`, then write the rows to their CSV files.

    A row with a known name replaces the old row in place. A new row is appended. Other rows are
    unchanged. An experiment without a staged model loses its published model. Staged files remain,
    so a publication that was killed can be repeated. Raises UnmergeableFileError before any change.
    """
    by_file: dict[Path, list[dict[str, str]]] = {}
    for row in rows:
        by_file.setdefault(csv_path(row, data_csv), []).append(row)
    texts = {file: merge_rows(file, file_rows) for file, file_rows in by_file.items()}
    models.mkdir(parents=True, exist_ok=True)
    for row in rows:
        name = row["Experiment Name"]
        staged, target = work / name / MODEL, models / name
        # Hidden names, so that the service ignores a partly copied directory.
        incoming, outgoing = models / f".{name}.new", models / f".{name}.old"
        for leftover in (incoming, outgoing):
            shutil.rmtree(leftover, ignore_errors=True)
        if staged.exists():
            shutil.copytree(staged, incoming)
        # Keep the versions that `make publish` added.
        for path in target.iterdir() if target.exists() else ():
            if VERSION_PATTERN.fullmatch(path.name):
                shutil.copytree(path, incoming / path.name)
        if target.exists():
            target.rename(outgoing)
        if incoming.exists():
            incoming.rename(target)
        shutil.rmtree(outgoing, ignore_errors=True)
    for file, text in texts.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text.encode())


def build_row(experiment: Experiment, run: Run, now: datetime) -> dict[str, str]:
    """Return the CSV row of a run. Scores that a diverged run lacks are empty cells."""
    values: dict[str, object] = {
        "Experiment Name": experiment.name,
        "Learning Rate": experiment.learning_rate,
        "Momentum": experiment.momentum,
        "Loss": _curve(run.loss),
        "Architecture": experiment.architecture.label,
        "Parameters": run.model.count_params(),
        "Epochs": experiment.epochs,
        "Batch Size": experiment.batch_size,
        "Seed": experiment.seed,
        "Schedule": experiment.schedule,
        "Weight Decay": experiment.weight_decay,
        "Augment": str(experiment.augment).lower(),
        "Outcome": run.outcome,
        "Test Accuracy": run.scores.get("test_accuracy", ""),
        "Test Loss": _round(run.scores["test_loss"]) if run.scores else "",
        "Validation Loss": _curve(run.validation_loss) if run.validation_loss.steps else "",
        "Trained At": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "Seconds": round(run.seconds, 1),
    }
    return {column: str(values[column]) for column in COLUMNS} | task_cell(experiment)


def check_parity(
    model: Any,
    flatbuffer: bytes,
    images: npt.NDArray[np.uint8],
    contract: InputSpec = MNIST_INPUT,
) -> Parity:
    """Compare LiteRT with Keras on uint8 images (n, 28, 28).

    Raises ParityError if a probability differs by more than rounding, or if a label differs.
    """
    # In batches, because Keras keeps the activations of all images of a call in memory.
    starts = range(0, len(images), PARITY_BATCH)
    parts = [
        measure_parity(model, flatbuffer, images[at : at + PARITY_BATCH], contract) for at in starts
    ]
    parity = Parity(
        images=len(images),
        max_abs_difference=max(part.max_abs_difference for part in parts),
        equal_argmax=all(part.equal_argmax for part in parts),
        limit=max(part.limit for part in parts),
    )
    # `not holds` also rejects NaN.
    if not parity.holds:
        raise ParityError(f"LiteRT and Keras disagree: {parity}")
    return parity


def _write_model(
    experiment: Experiment,
    run: Run,
    test: Digits,
    provenance: Provenance,
    folder: Path,
    origin: Origin,
) -> None:
    """Write the files of a model.

    The model of a pipeline run gets its reference and its robustness when it is registered, as most
    runs keep none.
    """
    folder.mkdir()
    task = experiment.task
    model, contract = task.exported(run.model), InputSpec(scale=task.scale)
    model.save(folder / KERAS_FILE)
    flatbuffer = to_litert(model)
    (folder / LITERT_FILE).write_bytes(flatbuffer)
    card = Card(
        experiment=experiment.name,
        files={
            name: file_record((folder / name).read_bytes()) for name in (KERAS_FILE, LITERT_FILE)
        },
        parity=check_parity(model, flatbuffer, test.images, contract),
        task=task.name,
        classes=task.labels,
        input=contract,
        parameters=run.model.count_params(),
        config=experiment.config(),
        metrics=run.scores | {"last_loss": run.loss.values[-1]},
        data={"name": "mnist", "sha256": provenance.data_sha256} | origin.data(),
        code={
            "sha256": provenance.code_sha256,
            "keras": provenance.keras,
            "tensorflow": provenance.tensorflow,
        },
        run=origin.run(experiment.seed),
    )
    card.write(folder / CARD_FILE)
    if origin.run_id is None:
        network = Network(flatbuffer, len(task.labels), contract)
        images = LabeledImages(test.images, test.labels.astype(np.int64))
        add_reference(folder, card, network.probabilities, images)
        measured = measure(network, images.pixels, images.labels, version_digest(card))
        if measured is not None:
            measured.write(folder)


def curve_document(curve: Curve) -> dict[str, list[Any]]:
    """Return a curve as a cell of the CSV files has it, with rounded values."""
    return {"Step": list(curve.steps), "Value": [_round(value) for value in curve.values]}


def _curve(curve: Curve) -> str:
    return json.dumps(curve_document(curve), allow_nan=False)


def _round(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")

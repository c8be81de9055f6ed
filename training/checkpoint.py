"""Checkpoints: the complete training state after an epoch, so that a run can resume exactly."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Checkpoint:
    """Training state after `epochs` epochs.

    `variables` holds the model's variables (including its random generators), then the optimizer's,
    in Keras order. `losses` has the training loss of each optimizer step. `validation_losses` has
    the validation loss after each epoch.
    """

    fingerprint: str
    epochs: int
    seconds: float
    losses: npt.NDArray[np.float64]
    validation_losses: npt.NDArray[np.float64]
    variables: tuple[npt.NDArray[np.generic], ...]

    def write(self, path: Path) -> None:
        """Write atomically: a reader sees either the previous checkpoint or this one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".new")
        with temporary.open("wb") as file:
            numbered = {f"variable_{index:04}": value for index, value in enumerate(self.variables)}
            np.savez(
                file,
                fingerprint=np.array(self.fingerprint),
                epochs=np.array(self.epochs),
                seconds=np.array(self.seconds),
                losses=self.losses,
                validation_losses=self.validation_losses,
                # numpy's stub mistakes the names for its allow_pickle flag.
                **numbered,  # type: ignore[arg-type]
            )
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)


def read(path: Path, fingerprint: str) -> Checkpoint | None:
    """Return the checkpoint at `path`.

    Returns None if the file is missing or damaged, or has another fingerprint.
    """
    # np.load does not close a file that it opened itself and could not read.
    with (
        contextlib.suppress(OSError, KeyError, ValueError, EOFError, BadZipFile),
        path.open("rb") as file,
    ):
        archive = np.load(file, allow_pickle=False)
        if str(archive["fingerprint"]) == fingerprint:
            return Checkpoint(
                fingerprint=fingerprint,
                epochs=int(archive["epochs"]),
                seconds=float(archive["seconds"]),
                losses=archive["losses"],
                validation_losses=archive["validation_losses"],
                variables=tuple(
                    archive[key] for key in sorted(archive.files) if key.startswith("variable_")
                ),
            )
    return None

"""A checkpoint: everything a run needs to go on after an epoch as if it had never stopped."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Checkpoint:
    """The state after `epochs` epochs.

    `variables` are those of the model (its random generators included) and then those of the
    optimizer, in Keras' order. `losses` has the training loss of every optimizer step,
    `validation_losses` that after every epoch.
    """

    fingerprint: str
    epochs: int
    seconds: float
    losses: npt.NDArray[np.float64]
    validation_losses: npt.NDArray[np.float64]
    variables: tuple[npt.NDArray[np.generic], ...]

    def write(self, path: Path) -> None:
        """Write it atomically: a reader sees the last checkpoint or this one, never a half one."""
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
                # Numpy's stub takes the names for its own flag
                **numbered,  # type: ignore[arg-type]
            )
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)


def read(path: Path, fingerprint: str) -> Checkpoint | None:
    """Read the checkpoint at `path`.

    None where there is none that is whole and of the same fingerprint.
    """
    # np.load leaves a file open that it opened by itself and could not read.
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

"""What the numbers of a run depend on, as digests: the experiment, the data, the code and the libraries."""

import hashlib
import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from training.experiment import Experiment
from training.task import DIGITS, Task

# The modules that decide the numbers. The others publish and show them; a change there needs no new training.
DECISIVE = ("architectures.py", "augment.py", "dataset.py", "run.py")
DECISIVE_FOR_TASKS = ("task.py",)  # and of these, those of experiments whose task is another one than the digits themselves
TENSORFLOW = ("tensorflow-cpu", "tensorflow")  # the same library under two package names


@dataclass(frozen=True)
class Provenance:
    """Digests are sha256 in hex; versions are those of the installed packages."""

    data_sha256: str
    code_sha256: str
    keras: str
    tensorflow: str

    def fingerprint(self, experiment: Experiment) -> str:
        """Give one sha256 over all of it: equal fingerprints mean equal numbers on one machine."""
        config = json.dumps(experiment.config(), sort_keys=True)
        parts = (experiment.name, config, self.data_sha256, self.code_sha256, self.keras, self.tensorflow)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def provenance(data_sha256: str, task: Task = DIGITS) -> Provenance:
    """Take the present state of the code that a task's experiments depend on, and of the installed libraries."""
    code = hashlib.sha256()
    for name in DECISIVE if task == DIGITS else (*DECISIVE, *DECISIVE_FOR_TASKS):
        code.update(name.encode() + b"\n" + (Path(__file__).parent / name).read_bytes())
    return Provenance(data_sha256, code.hexdigest(), metadata.version("keras"), _tensorflow_version())


def _tensorflow_version() -> str:
    for package in TENSORFLOW:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    raise ModuleNotFoundError("training needs TensorFlow; install requirements/training.txt")

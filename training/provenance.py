"""Provenance: digests of the inputs (experiment, data, code, libraries) that determine a result."""

import ast
import hashlib
import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from training.experiment import Experiment
from training.task import DIGITS, Task

# The modules that determine the results. A change in any other module requires no retraining.
HASHED_SOURCES = ("architectures.py", "augment.py", "dataset.py", "run.py")
HASHED_TASK_SOURCES = ("task.py",)  # hashed in addition for all tasks but the default one
HASHED_SPLIT_SOURCES = ("split_dataset.py",)  # hashed in addition for a split dataset
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
TENSORFLOW = ("tensorflow-cpu", "tensorflow")  # the same library under two package names


@dataclass(frozen=True)
class Provenance:
    """Digests (sha256 in hex) and versions of the installed packages."""

    data_sha256: str
    code_sha256: str
    keras: str
    tensorflow: str

    def fingerprint(self, experiment: Experiment) -> str:
        """Return one sha256 of all inputs. Equal fingerprints mean equal results on one machine."""
        config = json.dumps(experiment.config(), sort_keys=True)
        parts = (
            experiment.name,
            config,
            self.data_sha256,
            self.code_sha256,
            self.keras,
            self.tensorflow,
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Origin:
    """Pipeline run of a model, and the digest of its dataset. Both are empty for `make train`."""

    dataset_digest: str | None = None
    run_id: int | None = None

    def data(self) -> dict[str, str]:
        """Return the card's entries about the data."""
        return {"dataset_digest": self.dataset_digest} if self.dataset_digest else {}

    def run(self, seed: int) -> dict[str, int]:
        """Return the card's entries about the run."""
        return {} if self.run_id is None else {"id": self.run_id, "seed": seed}


NO_ORIGIN = Origin()


def provenance(
    data_sha256: str, task: Task = DIGITS, *, is_split_dataset: bool = False
) -> Provenance:
    """Hash the code that a task's experiments depend on, and read the library versions."""
    code = hashlib.sha256()
    sources = HASHED_SOURCES if task == DIGITS else (*HASHED_SOURCES, *HASHED_TASK_SOURCES)
    for name in (*sources, *HASHED_SPLIT_SOURCES) if is_split_dataset else sources:
        code.update(f"{name}\n{normalized((Path(__file__).parent / name).read_text())}\n".encode())
    return Provenance(
        data_sha256, code.hexdigest(), metadata.version("keras"), _tensorflow_version()
    )


def normalized(source: str) -> str:
    """Return the syntax tree of Python source as text, without docstrings, comments and layout.

    Empty fields are left out, so a field that a later Python adds to a node changes nothing.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return _text(tree)


def _text(value: object) -> str:
    if isinstance(value, ast.AST):
        fields = [
            f"{name}={_text(field)}"
            for name, field in ast.iter_fields(value)
            if field not in (None, [])
        ]
        return f"{type(value).__name__}({', '.join(fields)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return repr(value)


def _tensorflow_version() -> str:
    for package in TENSORFLOW:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    raise ModuleNotFoundError("Training needs TensorFlow. Install requirements/training.txt.")

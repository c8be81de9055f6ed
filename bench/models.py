"""The models that answer: the shipped LeNet-5, a CNN of 1.2 million parameters, and directories of many LeNets."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from inference.card import CARD_FILE, KERAS_FILE, LITERT_FILE, file_record
from inference.compiler import Compiler

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".local" / "bench"
LENET = "mnist_experiment_12__lenet5"
DEEP_CNN = "mnist_experiment_25__deep_cnn_16_48_96_augmented"
CNN = "cnn_1_2m"


@dataclass(frozen=True)
class ModelFiles:
    """A model on the disk: its directory as the service takes it, and the same as ONNX."""

    name: str
    directory: Path
    onnx: Path

    @property
    def litert(self) -> Path:
        """The flatbuffer."""
        return self.directory / LITERT_FILE

    @property
    def keras(self) -> Path:
        """The Keras file."""
        return self.directory / KERAS_FILE


def shipped(name: str) -> ModelFiles:
    """Return a shipped model; its ONNX form is made once."""
    return _with_onnx(name, ROOT / "models" / name)


def cnn() -> ModelFiles:
    """Return the CNN of 1.2 million parameters, made once: its weights are chance, its work is real."""
    directory = CACHE / CNN
    if not (directory / CARD_FILE).exists():
        directory.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "bench.cnn", str(directory / KERAS_FILE)])
        with Compiler() as compiler:
            compiler.compile(directory / KERAS_FILE, directory, {})
    return _with_onnx(CNN, directory)


def _with_onnx(name: str, directory: Path) -> ModelFiles:
    litert, onnx = directory / LITERT_FILE, CACHE / "onnx" / f"{file_record((directory / LITERT_FILE).read_bytes()).sha256}.onnx"
    if not onnx.exists():
        onnx.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "bench.onnx_of", str(litert), str(onnx)]
        _run(command)
    return ModelFiles(name, directory, onnx)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:3])} failed:\n{done.stderr[-2000:]}")


def names(count: int) -> list[str]:
    """Return the names of the models in a directory of `count`."""
    return [f"lenet_{number:04}" for number in range(count)]


def directory_of(target: Path, models: dict[str, Path]) -> Path:
    """Make a model directory of copies of others: name there -> directory to copy."""
    shutil.rmtree(target, ignore_errors=True)
    for name, source in models.items():
        shutil.copytree(source, target / name)
    return target


def directory_of_lenets(target: Path, count: int) -> Path:
    """Make a model directory of `count` LeNets that differ in their bytes, so that none can be taken for another."""
    shutil.rmtree(target, ignore_errors=True)
    for number, name in enumerate(names(count)):
        write_lenet(target / name, number)
    return target


def write_lenet(directory: Path, number: int) -> str:
    """Write the LeNet as number `number`, what is complete last, as a publisher does. Return its digest.

    The number stands behind the end of its files, where no reader looks: the work is the same, the digests are not.
    """
    source = ROOT / "models" / LENET
    directory.mkdir(parents=True, exist_ok=True)
    contents = {file: (source / file).read_bytes() + number.to_bytes(8, "little") for file in (KERAS_FILE, LITERT_FILE)}
    card = json.loads((source / CARD_FILE).read_bytes())
    for file, content in contents.items():
        record = file_record(content)
        card["files"][file] = {"sha256": record.sha256, "bytes": record.bytes}
        _replace(directory / file, content)
    _replace(directory / CARD_FILE, json.dumps(card).encode())
    digest: str = card["files"][KERAS_FILE]["sha256"]
    return digest


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_bytes(content)
    temporary.replace(path)

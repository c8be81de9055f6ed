"""Code version: a digest of the code and libraries on which the results of a run depend."""

import hashlib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "evaluation",
    "inference/compiler",
    "pipeline/gate",
    "pipeline/models",
    "pipeline/steps",
    "pipeline/training",
    "training",
)
LIBRARIES = ("ai-edge-litert", "keras", "numpy", "optuna", "tensorflow", "tensorflow-cpu")
LENGTH = 16  # hexadecimal digits


def code_version(root: Path = ROOT) -> str:
    """Return the digest, as the first 16 hexadecimal digits of a SHA-256."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            digest.update(f"{file.relative_to(root)}\n".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    for name in LIBRARIES:
        digest.update(f"{name} {_version(name)}\n".encode())
    return digest.hexdigest()[:LENGTH]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"

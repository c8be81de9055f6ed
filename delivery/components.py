"""Component list of a bundle: CycloneDX with the packages of the image and each of its models."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from delivery.models import BundledModel, BundleError
from inference.model_format.card import LITERT_FILE
from supply_chain.sbom import list_components
from supply_chain.tools import ROOT, tools_python

PACKAGES = ("inference",)  # lock files of the slim image
MODEL_TYPE = "machine-learning-model"
# The schemas are those of the library of cyclonedx-bom. The first violation becomes the message.
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
validator = JsonStrictValidator(SchemaVersion.from_version(sys.argv[1]))
error = validator.validate_str(sys.stdin.read())
sys.exit(None if error is None else str(error))
"""


def read_packages(folder: Path) -> dict[str, Any]:
    """Return the component list of the packages of the slim image.

    Listing installs them, so the list is kept in `folder` until a lock file changes. Raises
    CalledProcessError.
    """
    locks = [ROOT / "requirements" / f"{name}.txt" for name in (*PACKAGES, "supply_chain")]
    digest = hashlib.sha256(b"\0".join(lock.read_bytes() for lock in locks)).hexdigest()
    path = folder / f"packages-{digest[:16]}.cdx.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        list_components(PACKAGES, temporary)
        temporary.replace(path)
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def describe(model: BundledModel) -> dict[str, Any]:
    """Return the component of a model, of the type machine-learning-model."""
    card = model.card
    accuracy = card.test_accuracy
    metrics = [] if accuracy is None else [{"type": "test_accuracy", "value": f"{accuracy}"}]
    properties = {
        "mlops:digest": model.digest,
        "mlops:classes": json.dumps(list(card.classes)),
        "mlops:data": card.data.get("sha256", ""),
        "mlops:code": card.code.get("sha256", ""),
    }
    return {
        "type": MODEL_TYPE,
        "bom-ref": f"model:{model.key}",
        "name": model.name,
        "version": str(model.version),
        "hashes": [{"alg": "SHA-256", "content": card.files[LITERT_FILE].sha256}],
        "modelCard": {
            "modelParameters": {
                "task": card.task,
                "inputs": [{"format": f"image {card.input.height}x{card.input.width}"}],
                "outputs": [{"format": card.output}],
            },
            "quantitativeAnalysis": {"performanceMetrics": metrics},
        },
        "properties": [
            {"name": name, "value": value} for name, value in properties.items() if value
        ],
    }


def with_models(
    packages: Mapping[str, Any], models: Sequence[BundledModel], image: str, revision: str
) -> dict[str, Any]:
    """Return the component list of a bundle: that of its packages, with its image and models."""
    container = {
        "type": "container",
        "bom-ref": "bundle",
        "name": image,
        "version": revision,
    }
    return {
        **packages,
        "metadata": {**packages.get("metadata", {}), "component": container},
        "components": [*packages.get("components", ()), *map(describe, models)],
    }


def write(document: Mapping[str, Any], path: Path) -> None:
    """Validate a component list and write it. Raises BundleError, and CalledProcessError."""
    text = json.dumps(document, indent=1) + "\n"
    command = [tools_python(), "-c", VALIDATE, str(document["specVersion"])]
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BundleError(f"The component list is not valid CycloneDX: {result.stderr.strip()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

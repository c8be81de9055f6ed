"""Images of the services, with the models in that of the inference service."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.containers.conftest import BUILD_AND_START_SECONDS, DOCKER

FILES = {"GATEWAY": "gateway", "DB_SETUP": "db", "WEB": "web", "INFERENCE": "inference"}


def build_images(folder: Path, name: str) -> dict[str, str]:
    """Build the images and return their names, by the services' names in upper case."""
    images = {}
    for service, place in FILES.items():
        images[service] = f"{name}-{place}"
        target = ["--target", "slim"] if service == "INFERENCE" else []
        _build(folder, images[service], "-f", f"{place}/Dockerfile", *target, ".")
    with_models = f"FROM {images['INFERENCE']}\nCOPY --chmod=a+rX . /models\n"
    dockerfile = folder / "bundle.Dockerfile"
    dockerfile.write_text(with_models)
    _build(folder, images["INFERENCE"], "-f", dockerfile.name, "models")
    return images


def remove_images(images: Mapping[str, str]) -> None:
    subprocess.run([DOCKER, "rmi", "-f", *images.values()], check=False, capture_output=True)


def _build(folder: Path, image: str, *arguments: str) -> None:
    subprocess.run(
        [DOCKER, "build", "-q", "-t", image, *arguments],
        cwd=folder,
        check=True,
        timeout=BUILD_AND_START_SECONDS,
    )

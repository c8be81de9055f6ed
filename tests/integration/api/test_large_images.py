"""Large images: photos of 12 megapixels up to 16 MB by a setting, 2 MB by default."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inference.app import create_app
from inference.settings import from_environment
from tests.conftest import SHIPPED, wait_until_ready
from tests.support.photos import noisy_photo

BASE = "/api/v1.0"
MODEL = "mnist_experiment_12__lenet5"
LIMIT = 2**24


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[TestClient]:
    shutil.copytree(SHIPPED / MODEL, folder / "models" / MODEL)
    own = {"MODELS_DIR": "models", "COMPILED_DIR": "compiled", "JOURNAL_DIR": "journal"}
    paths = {name: str(folder / value) for name, value in own.items()}
    with TestClient(create_app(from_environment({**paths, **environment}))) as client:
        wait_until_ready(client)
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("fast_path", ["0", "1"])
def test_setting_admits_photos_of_12_megapixels(tmp_path: Path, fast_path: str) -> None:
    photo = noisy_photo("7")
    assert len(photo) > 2 * 2**21
    largest = photo + bytes(LIMIT - len(photo))
    with serving(tmp_path, MAX_IMAGE_BYTES=str(LIMIT), FAST_PATH=fast_path) as client:
        for image, status in ((photo, 200), (largest, 200), (largest + b"\0", 413)):
            single = client.post(
                f"{BASE}/inference?experiment_name={MODEL}", files={"image_blob": ("a.jpg", image)}
            )
            many = client.post(f"{BASE}/predictions", files=[("images", ("a.jpg", image))])
            assert (single.status_code, many.status_code) == (status, 200)
            [entry] = many.json()["predictions"]
            if status == 200:
                assert (single.json()["class"], entry["consensus"]["mnist"]["class"]) == ("7", "7")
            else:
                assert entry["problem"]["type"] == "urn:mlops:problem:image-too-large"


def test_default_rejects_an_image_over_2_mb(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        answer = client.post(
            f"{BASE}/inference?experiment_name={MODEL}",
            files={"image_blob": ("a.jpg", noisy_photo("7"))},
        )
    assert (answer.status_code, answer.json()["type"]) == (
        413,
        "urn:mlops:problem:image-too-large",
    )

"""POST /explanations with real models, over HTTP."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from inference.app import create_app
from inference.preprocessing.digits import read_digit
from inference.settings import from_environment
from tests.conftest import SHIPPED, wait_until_ready
from tests.support.images import encoded

BASE = "/api/v1.0"
LENET, SMALL = "mnist_experiment_12__lenet5", "mnist_experiment_1__softmax_regression"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explanations")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    """The service with two models and a third that failed."""
    for name in (LENET, SMALL):
        shutil.copytree(SHIPPED / name, folder / "models" / name)
    (folder / "models" / "failing").mkdir()
    (folder / "models" / "failing" / "card.json").write_text("{")
    environment = {
        name: str(folder / name.split("_")[0].lower())
        for name in ("MODELS_DIR", "COMPILED_DIR", "JOURNAL_DIR")
    }
    app = create_app(from_environment(environment))
    with TestClient(app, raise_server_exceptions=False) as running:
        wait_until_ready(running)
        yield running


def explain(client: TestClient, image: bytes, query: str = "") -> Any:
    return client.post(f"{BASE}/explanations{query}", files={"images": ("a.png", image)})


def test_explanation_agrees_with_the_prediction(
    client: TestClient, digits: dict[str, bytes]
) -> None:
    found = explain(client, digits["7"], "?view=true").json()
    predicted = client.post(
        f"{BASE}/predictions?view=true", files={"images": ("a.png", digits["7"])}
    ).json()["predictions"][0]
    for key in ("image_digest", "warnings", "view"):
        assert found[key] == predicted[key]
    for entry, answer in zip(found["explanations"], predicted["answers"], strict=True):
        for key in ("experiment_name", "version", "model_digest", "class", "confidence"):
            assert entry[key] == answer[key]


def test_drop_is_that_of_the_covered_image(client: TestClient, digits: dict[str, bytes]) -> None:
    """Covering the pixels by hand and predicting them gives the same probability."""
    pixels = read_digit(digits["7"])
    [entry] = explain(client, digits["7"], f"?experiments={LENET}").json()["explanations"]
    drops = np.array(entry["drops"])
    row, column = np.unravel_index(drops.argmax(), drops.shape)
    assert drops[row, column] > 0.05  # some patch matters
    covered = pixels.copy()
    covered[2 * row : 2 * row + 4, 2 * column : 2 * column + 4] = 0
    again = client.post(
        f"{BASE}/predictions?experiments={LENET}", json={"images": [covered.tolist()]}
    ).json()["predictions"][0]["answers"][0]
    lost = entry["confidence"] - again["probabilities"][entry["class"]]
    assert drops[row, column] == pytest.approx(lost, abs=1e-6)


def test_explanation_is_neither_logged_nor_counted(
    client: TestClient, folder: Path, digits: dict[str, bytes]
) -> None:
    def state() -> tuple[float, int]:
        lines = client.get(f"{BASE}/metrics").text.splitlines()
        predictions = [line for line in lines if line.startswith("mlops_predictions_total")]
        size = sum(path.stat().st_size for path in (folder / "journal").iterdir())
        return sum(float(line.split()[-1]) for line in predictions), size

    image = read_digit(digits["3"]).copy()
    image[0, 0] = 77  # an image that no other test sends
    before = state()
    assert explain(client, encoded(image)).status_code == 200
    assert state() == before
    client.post(f"{BASE}/predictions", files={"images": ("a.png", encoded(image))})
    predictions, size = state()
    assert (predictions > before[0], size > before[1]) == (True, True)


def test_model_that_failed_is_an_entry_with_its_problem(
    client: TestClient, digits: dict[str, bytes]
) -> None:
    response = explain(client, digits["7"], f"?experiments=failing&experiments={SMALL}")
    failed, small = response.json()["explanations"]
    assert (failed["problem"]["status"], small["experiment_name"]) == (503, SMALL)
    assert len(small["drops"]) == 13
    assert explain(client, digits["7"], "?experiments=failing").status_code == 503
    assert explain(client, digits["7"], "?experiments=unknown").status_code == 404


def test_blank_image_warns_and_has_no_drops(client: TestClient) -> None:
    found = explain(client, encoded(np.zeros((28, 28), np.uint8))).json()
    assert found["warnings"] == ["no digit found"]
    assert not np.array([entry["drops"] for entry in found["explanations"]]).any()


@pytest.mark.parametrize(
    ("files", "status", "detail"),
    [
        ([], 415, "Send multipart/form-data"),
        ([("images", ("a.png", b""))], 422, "is empty"),
        ([("images", ("a.png", b"text"))], 415, "not a supported image"),
        ([("images", ("a.png", b"\x89PNG\r\n\x1a\nbroken"))], 422, "The PNG file is broken"),
        ([("images", ("a.png", b"x")), ("images", ("b.png", b"y"))], 400, "more than once"),
        ([("images", ("a.png", b"x")), ("image_blob", ("b.png", b"y"))], 400, "two fields"),
        ([("other", ("a.png", b"x"))], 400, "unknown field"),
        ([("images", ("a.png", bytes(2_000_001 + 2**17)))], 413, "Send a smaller file"),
    ],
)
def test_unusable_request_gets_a_clear_error(
    client: TestClient, files: Any, status: int, detail: str
) -> None:
    response = client.post(f"{BASE}/explanations", files=files or None)
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, detail in response.json()["detail"]) == (status, True), (
        response.text
    )


def test_other_method_is_refused(client: TestClient) -> None:
    assert client.get(f"{BASE}/explanations").status_code == 405

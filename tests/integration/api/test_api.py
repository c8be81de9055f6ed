"""API: the real application with real models and a real Postgres."""

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from db.initialize import set_up
from db.settings import from_environment as db_settings
from inference.app import create_app
from inference.settings import from_environment
from tests.conftest import SHIPPED, wait_until_ready

BASE = "/api/v1.0"
MULTIPART = "multipart/form-data"
BOUNDED = f"{MULTIPART}; boundary=x"
LOSS = '"{""Step"": [1, 2], ""Value"": [2.5, 0.5]}"'


@pytest.fixture(scope="module")
def served(shipped_names: list[str]) -> list[str]:
    """The names of the models in the repository."""
    return shipped_names[:3]


@pytest.fixture(scope="module")
def client(
    postgres_environment: dict[str, str],
    served: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("api")
    for name in served:
        shutil.copytree(SHIPPED / name, folder / "models" / name)
    (folder / "models" / "failing").mkdir()
    (folder / "models" / "failing" / "card.json").write_text("{")
    csv = folder / "data.csv"
    rows = [f"{name},0.01,0.9,{LOSS},lenet5" for name in [served[0], "without_a_model", "failing"]]
    csv.write_text("\n".join(["Experiment Name,Learning Rate,Momentum,Loss,Architecture", *rows]))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in postgres_environment.items():
            patch.setenv(name, value)
        set_up(
            db_settings(
                {
                    "DATA_CSV": str(csv),
                    "DATA_DIR": str(folder / "data.d"),
                    "PGDATABASE": postgres_environment["PGDATABASE"],
                }
            )
        )
        patch.setenv("PGUSER", "mlops_app")
        patch.setenv("PGPASSWORD", "pass123")
        settings = from_environment(
            {
                "MODELS_DIR": str(folder / "models"),
                "COMPILED_DIR": str(folder / "compiled"),
                "JOURNAL_DIR": str(folder / "journal"),
            }
        )
        with TestClient(create_app(settings), raise_server_exceptions=False) as running:
            wait_until_ready(running)
            yield running


def infer(client: TestClient, name: str, data: bytes, **options: object) -> dict[str, object]:
    response = client.post(
        f"{BASE}/inference", params={"experiment_name": name}, files={"image_blob": data}, **options
    )
    assert response.status_code == 200, response.text
    document: dict[str, object] = response.json()
    return document


def test_inference_names_class_model_and_image(
    client: TestClient, served: list[str], digits: dict[str, bytes]
) -> None:
    answer = infer(client, served[0], digits["1"])
    model = client.get(f"{BASE}/models/{served[0]}").json()
    probabilities = answer["probabilities"]
    assert isinstance(probabilities, dict)
    assert list(probabilities) == list("0123456789")
    assert sum(probabilities.values()) == pytest.approx(1)
    assert (answer["class"], answer["confidence"]) == max(
        probabilities.items(), key=lambda item: item[1]
    )
    assert (answer["experiment_name"], answer["version"], answer["model_digest"]) == (
        served[0],
        1,
        model["digest"],
    )
    assert set(answer) == {
        "class",
        "confidence",
        "probabilities",
        "experiment_name",
        "version",
        "model_digest",
        "cached",
        "image_digest",
        "milliseconds",
        "prediction_id",
        "warnings",
    }


def test_inverted_image_gets_the_same_answer(
    client: TestClient, served: list[str], digits: dict[str, bytes]
) -> None:
    inverted = io.BytesIO()
    Image.fromarray(255 - np.asarray(Image.open(io.BytesIO(digits["4"])))).save(inverted, "BMP")
    first, second = (infer(client, served[0], data) for data in (digits["4"], inverted.getvalue()))
    assert first["image_digest"] == second["image_digest"]
    assert first["probabilities"] == second["probabilities"]


@pytest.mark.parametrize(
    ("request_options", "status", "kind", "detail"),
    [
        (
            {"params": {"experiment_name": "unknown"}},
            404,
            "unknown-experiment",
            "See GET /api/v1.0/models for",
        ),
        (
            {"params": {"experiment_name": "failing"}},
            503,
            "model-failed",
            "See GET /api/v1.0/models for the reason",
        ),
        (
            {"params": {}},
            400,
            "malformed-request",
            "The query parameter experiment_name is missing",
        ),
        (
            {"params": {"experiment_name": "a\n"}},
            400,
            "malformed-request",
            "The experiment name is malformed",
        ),
        ({"params": {"experiment_name": ""}}, 400, "malformed-request", ""),
        (
            {"params": {"experiment_name": "../../etc/passwd"}},
            400,
            "malformed-request",
            "The experiment name is malformed",
        ),
        (
            {"params": {"experiment_name": "n", "more": "1"}},
            400,
            "malformed-request",
            "an unknown query parameter",
        ),
        ({"files": {"other": b"x"}}, 400, "malformed-request", "an unknown field in the body"),
        ({"files": {"file": b"x"}}, 400, "malformed-request", "the file in the field image_blob"),
        (
            {"files": [("image_blob", b"x"), ("image_blob", b"y")]},
            400,
            "malformed-request",
            "more than once",
        ),
        (
            {"files": {"image_blob": (None, "text")}},
            400,
            "malformed-request",
            "no file in the multipart field image_blob",
        ),
        *[
            ({"files": None, **body}, 415, "unsupported-media-type", "file in the field image_blob")
            for body in (
                {},
                {"data": {"image_blob": "x"}},
                {"content": b"x", "headers": {"Content-Type": "image/png"}},
                {"json": {"image_blob": "data:image/png;base64,iVBORw0KGgo="}},
            )
        ],
        (
            {"files": {"image_blob": b"data:image/png;base64,iVBORw0KGgo="}},
            415,
            "unsupported-image",
            "Decode it, of a data URL the part after the comma",
        ),
        (
            {"files": None, "content": b"x", "headers": {"Content-Type": BOUNDED}},
            400,
            "malformed-request",
            "not valid multipart",
        ),
        (
            {"files": None, "content": b"x", "headers": {"Content-Type": MULTIPART}},
            400,
            "malformed-request",
            "not valid multipart",
        ),
        (
            {
                "files": None,
                "content": b"x",
                "headers": {"Content-Type": f"{BOUNDED};charset=idna"},
            },
            400,
            "malformed-request",
            "",
        ),
        (
            {"files": {"image_blob": b"x" * (2**21 + 1)}},
            413,
            "image-too-large",
            "larger than 2097152 bytes",
        ),
        (
            {"files": {"image_blob": b"hello"}},
            415,
            "unsupported-image",
            "not a supported image (PNG, JPEG",
        ),
        ({"files": {"image_blob": b"\x89PNG\r\n\x1a\nbroken"}}, 422, "unreadable-image", "broken"),
    ],
)
def test_bad_request_gets_a_problem_that_says_what_to_do(
    client: TestClient,
    served: list[str],
    request_options: dict[str, object],
    status: int,
    kind: str,
    detail: str,
) -> None:
    options = {
        "params": {"experiment_name": served[0]},
        "files": {"image_blob": b"x"},
        **request_options,
    }
    response = client.post(f"{BASE}/inference", **options)
    problem = response.json()
    assert (response.status_code, response.headers["Content-Type"]) == (
        status,
        "application/problem+json",
    )
    assert problem["type"] == f"urn:mlops:problem:{kind}"
    assert detail in problem["detail"]
    assert problem["status"] == status
    assert problem["instance"].endswith(response.headers["X-Request-Id"])
    assert ("Retry-After" in response.headers) == (status == 503)
    assert len(response.content) <= 1024


@pytest.mark.parametrize("operation", ["inference", "predictions"])
@pytest.mark.parametrize("name", ["experiment_name", "experiments"])
@pytest.mark.parametrize("field", ["image_blob", "images"])
def test_both_operations_take_the_same_names(
    client: TestClient,
    served: list[str],
    digits: dict[str, bytes],
    operation: str,
    name: str,
    field: str,
) -> None:
    response = client.post(
        f"{BASE}/{operation}",
        params={name: served[0]},
        files={field: digits["7"]},
    )
    assert response.status_code == 200, response.text
    answer = response.json()
    [answer] = [answer] if "class" in answer else answer["predictions"][0]["answers"]
    expected = infer(client, served[0], digits["7"])
    assert {answer[key] for key in ("class", "prediction_id")} == {
        expected["class"],
        expected["prediction_id"],
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PUT", "/models", 405), ("GET", "/../x", 404)],
)
def test_unknown_path_or_method_gets_a_problem(
    client: TestClient, method: str, path: str, status: int
) -> None:
    response = client.request(method, BASE + path)
    assert (response.status_code, response.headers["Content-Type"]) == (
        status,
        "application/problem+json",
    )


def test_request_id_is_kept_if_valid_else_replaced(client: TestClient) -> None:
    kept = client.get(f"{BASE}/healthz", headers={"X-Request-Id": "run-42.a_b"}).headers[
        "X-Request-Id"
    ]
    replaced = client.get(f"{BASE}/healthz", headers={"X-Request-Id": "a b<script>"}).headers[
        "X-Request-Id"
    ]
    assert kept == "run-42.a_b"
    assert len(replaced) == 32


def test_models_have_a_state_and_failed_ones_a_reason(
    client: TestClient, served: list[str]
) -> None:
    models = {model["name"]: model for model in client.get(f"{BASE}/models").json()["models"]}
    assert {name: model["state"] for name, model in models.items()} == {
        **dict.fromkeys(served, "READY"),
        "failing": "FAILED",
    }
    assert "card.json" in models["failing"]["reason"]
    assert models[served[0]]["parity"]["equal_argmax"]


def test_experiments_have_the_serving_state(client: TestClient, served: list[str]) -> None:
    experiments = client.get(f"{BASE}/experiments").json()["experiments"]
    assert [(row["name"], row["serving"]) for row in experiments] == [
        (served[0], "READY"),
        ("without_a_model", "NO_MODEL"),
        ("failing", "FAILED"),
    ]
    assert client.get(f"{BASE}/experiments/{served[0]}").json() == experiments[0]
    assert (experiments[0]["params"], experiments[0]["best_loss"], experiments[0]["last_step"]) == (
        {"architecture": "lenet5"},
        0.5,
        2,
    )


def test_name_with_a_final_newline_gets_400(client: TestClient, served: list[str]) -> None:
    assert client.get(f"{BASE}/models/{served[0]}%0A").status_code == 400


def test_unknown_experiments_and_models_get_404(client: TestClient) -> None:
    for path in ("experiments/unknown", "models/unknown"):
        assert client.get(f"{BASE}/{path}").status_code == 404


def test_model_is_found_by_its_alias(client: TestClient, served: list[str]) -> None:
    model = client.get(f"{BASE}/models/{served[0]}").json()
    for name in ("champion", f"{model['task']}@champion", f"{served[0]}@1"):
        assert client.get(f"{BASE}/models/{name}").json() == model
    assert client.get(f"{BASE}/models/lost@champion").status_code == 404
    assert client.get(f"{BASE}/models/failing").json()["state"] == "FAILED"


def test_readiness_names_failed_models(client: TestClient) -> None:
    response = client.get(f"{BASE}/readyz")
    dependencies = response.json()["dependencies"]
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    detail = "Failed: failing@1. See GET /api/v1.0/models for the reasons."
    assert dependencies["models"] == {
        "status": "ok",
        "ready": 3,
        "loading": 0,
        "failed": 1,
        "detail": detail,
    }
    assert (dependencies["database"]["status"], dependencies["log"]["status"]) == ("ok", "ok")


def test_metrics_count_requests_by_operation_and_models_by_state(client: TestClient) -> None:
    unknown = 'mlops_http_requests_total{operation="other",path="connexion",status="404"}'
    before = _value(client, unknown)
    client.get(f"{BASE}/nowhere")
    assert _value(client, unknown) == before + 1
    assert _value(client, 'mlops_models{state="READY"}') == 3


def _value(client: TestClient, series: str) -> float:
    lines = client.get(f"{BASE}/metrics").text.splitlines()
    [value] = [line.rsplit(" ", 1)[1] for line in lines if line.startswith(series)]
    return float(value)


def test_openapi_document_and_its_page_are_served(client: TestClient) -> None:
    assert (
        client.get(f"{BASE}/openapi.json").json()["info"]["title"] == "ml-ops-starter inference API"
    )
    assert "swagger" in client.get(f"{BASE}/ui/").text.lower()


def test_documents_of_the_serving_protocols_are_linked_and_served(client: TestClient) -> None:
    description = client.get(f"{BASE}/openapi.json").json()["info"]["description"]
    links = re.findall(r"\((\.\./protocols/\S+)\)", description)
    served = {link.rpartition("/")[2]: urljoin(f"{BASE}/ui/", link) for link in links}
    folder = Path(__file__).parents[3] / "inference" / "protocols"
    assert set(served) == {file.name for file in folder.glob("*.yaml")}
    for name, path in served.items():
        answer = client.get(path)
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.text == (folder / name).read_text()
    assert client.get(f"{BASE}/protocols/settings.yaml").status_code == 400


def test_service_does_not_import_tensorflow() -> None:
    code = (
        "import inference.app, sys; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )

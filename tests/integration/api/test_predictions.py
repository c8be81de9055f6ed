"""POST /predictions: many images and many models in one call, by Connexion and the fast path."""

import base64
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from inference.app import create_app
from inference.settings import from_environment
from tests.conftest import SHIPPED, wait_until_ready
from tests.support.images import encoded

BASE = "/api/v1.0"
BEST, SMALL = (
    "mnist_experiment_28__deep_cnn_8_16_32_short",
    "mnist_experiment_1__softmax_regression",
)


@pytest.fixture(scope="module", params=["0", "1"], ids=["Connexion", "fast path"])
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """The service with two models, one of them in two versions, and a third that failed."""
    folder = tmp_path_factory.mktemp("predictions")
    for name in (BEST, SMALL):
        shutil.copytree(SHIPPED / name, folder / "models" / name)
    shutil.copytree(SHIPPED / "mnist_experiment_4__mlp_32", folder / "models" / SMALL / "2")
    (folder / "models" / "failing").mkdir()
    (folder / "models" / "failing" / "card.json").write_text("{")
    environment = {
        "MODELS_DIR": str(folder / "models"),
        "COMPILED_DIR": str(folder / "compiled"),
        "FAST_PATH": request.param,
    }
    environment["JOURNAL_DIR"] = str(folder / "journal")
    with TestClient(
        create_app(from_environment(environment)), raise_server_exceptions=False
    ) as running:
        wait_until_ready(running)
        yield running


def files(*images: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("images", (f"{index}.png", image)) for index, image in enumerate(images)]


def pixels_of(png: bytes) -> list[list[int]]:
    rows: list[list[int]] = np.asarray(Image.open(io.BytesIO(png))).tolist()
    return rows


BLANK = encoded(np.zeros((28, 28), np.uint8))
SHEET = encoded(np.full((300, 200), 255, np.uint8))


@pytest.mark.parametrize("blank", [BLANK, SHEET], ids=["28x28", "sheet"])
def test_blank_image_warns_and_has_no_consensus(
    client: TestClient, digits: dict[str, bytes], blank: bytes
) -> None:
    for _ in range(2):  # the second one from the cache
        response = client.post(
            f"{BASE}/predictions?view=true", files=files(digits["7"], blank, b"broken")
        )
        usual, warned, broken = response.json()["predictions"]
        assert (usual["warnings"], warned["warnings"]) == ([], ["no digit found"])
        assert usual["consensus"]["mnist"]["class"] == "7"
        assert warned["consensus"] == {"mnist": None}
        assert [len(entry["answers"]) for entry in (usual, warned)] == [2, 2]
        assert "warnings" not in broken
        for image, warnings in ((digits["7"], []), (blank, ["no digit found"])):
            answer = client.post(
                f"{BASE}/inference?experiment_name={BEST}", files={"image_blob": ("a.png", image)}
            ).json()
            assert answer["warnings"] == warnings
    assert answer["cached"] is True


def test_blank_array_and_streamed_image_warn(client: TestClient) -> None:
    array = client.post(f"{BASE}/predictions", json={"images": [[[0] * 28] * 28]}).json()
    lines = client.post(
        f"{BASE}/predictions", files=files(BLANK), headers={"Accept": "application/x-ndjson"}
    )
    for entry in (array["predictions"][0], json.loads(lines.text)):
        assert (entry["warnings"], entry["consensus"]) == (["no digit found"], {"mnist": None})


def test_every_model_answers_every_image_in_order(
    client: TestClient, digits: dict[str, bytes]
) -> None:
    entries = client.post(f"{BASE}/predictions", files=files(*digits.values())).json()[
        "predictions"
    ]
    assert [entry["index"] for entry in entries] == list(range(10))
    assert len({entry["image_digest"] for entry in entries}) == 10
    models = [
        [(answer["experiment_name"], answer["version"]) for answer in entry["answers"]]
        for entry in entries
    ]
    assert models == [[(SMALL, 2), (BEST, 1)]] * 10
    assert (
        sum(
            entry["answers"][1]["class"] == label
            for entry, label in zip(entries, digits, strict=True)
        )
        >= 8
    )


def test_prediction_equals_a_single_inference(client: TestClient, digits: dict[str, bytes]) -> None:
    single = client.post(
        f"{BASE}/inference?experiment_name={BEST}", files={"image_blob": digits["3"]}
    ).json()
    entry = client.post(
        f"{BASE}/predictions?experiments={BEST}", files=files(digits["5"], digits["3"])
    ).json()["predictions"][1]
    of_image = {key: entry[key] for key in ("image_digest", "warnings")}
    answer = {**entry["answers"][0], **of_image}
    volatile = {"milliseconds", "cached"}
    assert {key: answer[key] for key in answer.keys() - volatile} == {
        key: single[key] for key in single.keys() - volatile
    }


def test_consensus_is_by_task_and_counts_votes(
    client: TestClient, digits: dict[str, bytes]
) -> None:
    entry = client.post(f"{BASE}/predictions", files=files(digits["0"])).json()["predictions"][0]
    labels = [answer["class"] for answer in entry["answers"]]
    agreed = entry["consensus"]["mnist"]
    assert agreed["votes"] == {label: labels.count(label) for label in labels}
    assert agreed["disagreement"] == 1 - labels.count(agreed["class"]) / len(labels)


def test_bad_image_is_an_entry_with_a_problem(client: TestClient, digits: dict[str, bytes]) -> None:
    bad = [digits["1"], b"", b"hello", digits["8"][: len(digits["8"]) // 2], digits["1"]]
    response = client.post(f"{BASE}/predictions?experiments={BEST}", files=files(*bad))
    entries = response.json()["predictions"]
    assert [entry.get("problem", {}).get("status") for entry in entries] == [
        None,
        422,
        415,
        422,
        None,
    ]
    assert entries[0]["answers"][0]["class"] == entries[4]["answers"][0]["class"]
    assert set(entries[1]) == {"index", "problem"}


def test_unavailable_model_is_an_answer_with_a_problem(
    client: TestClient, digits: dict[str, bytes]
) -> None:
    query = f"experiments={BEST}&experiments=unknown&experiments=failing&experiments={SMALL}@9"
    entry = client.post(f"{BASE}/predictions?{query}", files=files(digits["1"])).json()[
        "predictions"
    ][0]
    assert [answer.get("problem", {}).get("status") for answer in entry["answers"]] == [
        None,
        404,
        503,
        404,
    ]
    assert [answer["experiment_name"] for answer in entry["answers"][1:]] == [
        "unknown",
        "failing",
        f"{SMALL}@9",
    ]
    assert entry["consensus"]["mnist"]["votes"] == {entry["answers"][0]["class"]: 1}


@pytest.mark.parametrize(
    ("name", "status"), [("unknown", 404), ("failing", 503), ("../x", 400), ("", 400)]
)
def test_call_without_any_available_model_fails(
    client: TestClient, digits: dict[str, bytes], name: str, status: int
) -> None:
    response = client.post(
        f"{BASE}/predictions", params={"experiments": name}, files=files(digits["1"])
    )
    assert (response.status_code, response.headers["content-type"]) == (
        status,
        "application/problem+json",
    )


def test_versions_and_champion_are_selected_by_name(
    client: TestClient, digits: dict[str, bytes]
) -> None:
    query = f"experiments={SMALL}@1&experiments={SMALL}@2&experiments=champion&experiments={BEST}"
    entry = client.post(f"{BASE}/predictions?{query}", files=files(digits["1"])).json()[
        "predictions"
    ][0]
    assert [(answer["experiment_name"], answer["version"]) for answer in entry["answers"]] == [
        (SMALL, 1),
        (SMALL, 2),
        (BEST, 1),
    ]
    by_version = {
        model["version"]: model
        for model in client.get(f"{BASE}/models").json()["models"]
        if model["name"] == SMALL
    }
    assert [answer["model_digest"] for answer in entry["answers"][:2]] == [
        by_version[1]["digest"],
        by_version[2]["digest"],
    ]
    assert [by_version[1]["default"], by_version[2]["default"]] == [False, True]
    assert client.get(f"{BASE}/models/{SMALL}").json()["version"] == 2
    detail = client.get(f"{BASE}/models/{SMALL}/versions/1").json()
    assert {**by_version[1], "card": detail["card"]} == detail
    assert detail["card"]["config"]["learning_rate"] == 0.1
    assert client.get(f"{BASE}/models/{SMALL}/versions/3").status_code == 404


def test_inference_takes_version_and_champion_but_not_all(
    client: TestClient, digits: dict[str, bytes]
) -> None:
    def answering(name: str) -> tuple[str, int] | int:
        response = client.post(
            f"{BASE}/inference?experiment_name={name}", files={"image_blob": digits["1"]}
        )
        document = response.json()
        return (
            (document["experiment_name"], document["version"])
            if response.status_code == 200
            else response.status_code
        )

    assert [answering(name) for name in (f"{SMALL}@1", SMALL, "champion", "all")] == [
        (SMALL, 1),
        (SMALL, 2),
        (BEST, 1),
        400,
    ]


def test_view_is_the_preprocessed_image(client: TestClient, digits: dict[str, bytes]) -> None:
    paper = io.BytesIO()
    Image.fromarray(
        255 - np.kron(np.asarray(Image.open(io.BytesIO(digits["4"]))), np.ones((5, 5), np.uint8))
    ).save(paper, "PNG")
    response = client.post(
        f"{BASE}/predictions?experiments={BEST}&view=true",
        files=files(digits["4"], paper.getvalue()),
    )
    first, second = (base64.b64decode(entry["view"]) for entry in response.json()["predictions"])
    assert pixels_of(first) == pixels_of(digits["4"])
    assert np.asarray(Image.open(io.BytesIO(second))).shape == (28, 28)
    assert (
        "view"
        not in client.post(
            f"{BASE}/predictions?experiments={BEST}", files=files(digits["4"])
        ).json()["predictions"][0]
    )


def test_stream_has_the_same_entries_as_lines(client: TestClient, digits: dict[str, bytes]) -> None:
    images = files(*(digits[label] for label in "0123456789" * 7), b"not an image")
    document = client.post(f"{BASE}/predictions", files=images).json()["predictions"]
    response = client.post(
        f"{BASE}/predictions", files=images, headers={"Accept": "application/x-ndjson"}
    )
    assert response.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in response.text.splitlines()]

    def comparable(entry: dict[str, object]) -> str:
        return json.dumps(entry, sort_keys=True).replace('"cached": true', '"cached": false')

    assert [comparable(line) for line in lines] == [comparable(entry) for entry in document]


def test_json_images_get_the_answers_of_the_same_png(
    client: TestClient, digits: dict[str, bytes]
) -> None:
    arrays = {
        "images": [pixels_of(digits[label]) for label in "07"]
        + [np.asarray(pixels_of(digits["3"]), float).tolist()]
    }
    by_arrays = client.post(f"{BASE}/predictions?experiments={BEST}", json=arrays).json()[
        "predictions"
    ]
    by_files = client.post(
        f"{BASE}/predictions?experiments={BEST}", files=files(*(digits[label] for label in "073"))
    )
    assert [entry["image_digest"] for entry in by_arrays] == [
        entry["image_digest"] for entry in by_files.json()["predictions"]
    ]


def one_pixel(value: object) -> str:
    rows = [[0] * 28 for _ in range(28)]
    document = {"images": [rows, [list(row) for row in rows]]}
    return json.dumps(document).replace("0]]]", f"{value}]]]")


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        (one_pixel("NaN"), 422, "images/1/27/27"),
        (one_pixel("Infinity"), 422, "images/1/27/27"),
        (one_pixel("256"), 422, "images/1/27/27"),
        (one_pixel("-1"), 422, "images/1/27/27"),
        (one_pixel("0.5"), 422, "images/1/27/27"),
        (one_pixel("true"), 422, "images/1/27/27"),
        (one_pixel('"7"'), 422, "images/1/27/27"),
        (one_pixel("null"), 422, "images/1/27/27"),
        (one_pixel("0,0"), 422, "images/1/27"),
        (one_pixel("0],[0"), 422, "images/1"),
        ('{"images": [7]}', 422, "images/0"),
        ('{"images": []}', 422, "images"),
        ('{"images": 7}', 400, None),
        ('{"images": [], "more": 1}', 400, None),
        ("[" * 20_000, 400, None),
        ("[" * 100_000, 413, None),
        (one_pixel("9" * 5000), 400, None),
        ("{", 400, None),
        ("", 400, None),
        ("null", 400, None),
        (json.dumps({"images": [[[0]]] * 1001}), 413, None),
        (json.dumps({"images": [[]] * 100_000}), 413, None),
        (json.dumps({"images": [0] * 1_000_000}), 413, None),
    ],
)  # fmt: skip
def test_unusable_json_image_names_its_place(
    client: TestClient, body: str, status: int, path: str | None
) -> None:
    response = client.post(
        f"{BASE}/predictions", content=body, headers={"Content-Type": "application/json"}
    )
    problem = response.json()
    assert (response.status_code, [error["path"] for error in problem.get("errors", [])]) == (
        status,
        [path] if path else [],
    )
    assert len(response.content) <= 1024


def test_call_over_a_limit_gets_413(client: TestClient, digits: dict[str, bytes]) -> None:
    assert client.post(f"{BASE}/predictions", files=files(*[digits["1"]] * 1000)).status_code == 200
    assert client.post(f"{BASE}/predictions", files=files(*[digits["1"]] * 1001)).status_code == 413
    larger = client.post(
        f"{BASE}/predictions",
        content=b"x" * (2**25 + 1),
        headers={"Content-Type": "application/json"},
    )
    assert (larger.status_code, larger.json()["title"]) == (413, "Request too large")


def test_same_pixels_are_answered_from_the_cache(
    client: TestClient, digits: dict[str, bytes]
) -> None:
    def cached(image: bytes) -> bool:
        answer = client.post(
            f"{BASE}/inference?experiment_name={BEST}", files={"image_blob": image}
        ).json()["cached"]
        return bool(answer)

    pixels = np.array(pixels_of(digits["8"]), np.uint8)
    pixels[14, 14] ^= 1  # an image that no other test sends
    png, bmp = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    Image.fromarray(pixels).save(bmp, "BMP")
    assert [cached(image.getvalue()) for image in (png, png, bmp)] == [False, True, True]


def test_models_of_one_file_with_other_scales_share_no_cache(
    tmp_path: Path, digits: dict[str, bytes]
) -> None:
    for name, scale in (("plain", 1.0), ("dark", 0.01)):
        shutil.copytree(SHIPPED / SMALL, tmp_path / "models" / name)
        card = json.loads((tmp_path / "models" / name / "card.json").read_text())
        card["input"]["scale"] = scale
        (tmp_path / "models" / name / "card.json").write_text(json.dumps(card))
    settings = from_environment(
        {
            "MODELS_DIR": str(tmp_path / "models"),
            "COMPILED_DIR": str(tmp_path / "compiled"),
            "JOURNAL_BYTES": "0",
        }
    )
    with TestClient(create_app(settings)) as client:
        wait_until_ready(client)
        entry = client.post(
            f"{BASE}/predictions?experiments=plain&experiments=dark", files=files(digits["1"])
        ).json()
    first, second = entry["predictions"][0]["answers"]
    assert first["model_digest"] == second["model_digest"]
    assert first["probabilities"] != second["probabilities"]


def test_body_declared_too_large_is_refused_unread(client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(2**40)}
    for operation in (f"inference?experiment_name={BEST}", "predictions"):
        response = client.post(f"{BASE}/{operation}", content=endless(), headers=headers)
        assert (response.status_code, response.json()["title"]) == (413, "Request too large")

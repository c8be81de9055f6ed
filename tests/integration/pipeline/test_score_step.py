"""Step score, with a real Postgres, a local store and processes of this machine."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inference.originals.keys import key_in
from inference.preprocessing.digits import pixel_digest
from inference.runtime.network import Network
from pipeline.database import Database
from pipeline.steps import ingest, score
from pipeline.steps.context import CancelledError, PermanentError, StepContext
from tests.corpus.uploads import zip_of_digits
from tests.support.database import use_owner
from tests.support.learning_data import Loop, different_digits, png, write_base

ROOT = Path(__file__).parents[3]
SOFTMAX, MLP = "mnist_experiment_1__softmax_regression", "mnist_experiment_4__mlp_32"


@pytest.fixture(scope="module")
def base_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base") / "mnist.npz")


@pytest.fixture
def loop(
    service_database: dict[str, str],
    base_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Loop]:
    monkeypatch.setenv("MNIST_PATH", str(base_path))
    use_owner(monkeypatch, service_database)
    owner, pipeline = Database(), Database()
    owner.query("SELECT 1")
    monkeypatch.setenv("PGOPTIONS", "-c role=mlops_pipeline")
    yield Loop(tmp_path, owner, pipeline)
    owner.close()
    pipeline.close()


def context_of(loop: Loop, **params: Any) -> StepContext:
    context = loop.start_run(**params)
    settings = replace(context.settings, models_dir=ROOT / "models", work=loop.folder)
    return replace(context, step="score", settings=settings)


def table_of(loop: Loop, outputs: dict[str, Any]) -> pa.Table:
    data = loop.store.get(key_in(outputs["url"]))
    assert data is not None
    assert hashlib.sha256(data).hexdigest() == outputs["digest"]
    assert outputs["url"] == f"{loop.store.url}/{outputs['digest'][:2]}/{outputs['digest']}.parquet"
    assert len(data) == outputs["bytes"]
    return pq.read_table(io.BytesIO(data))


def test_score_of_the_base_gives_the_models_predictions(loop: Loop, base_path: Path) -> None:
    context = context_of(loop, experiments=[MLP, SOFTMAX, "unknown"], dataset="base")

    outputs = score.run(context)

    table = table_of(loop, outputs)
    with np.load(base_path) as base:
        images = np.concatenate([base["x_train"], base["x_test"]])
        labels = [str(label) for label in np.concatenate([base["y_train"], base["y_test"]])]
    network = Network((ROOT / "models" / SOFTMAX / "model.tflite").read_bytes(), 10)
    probabilities = network.probabilities(images)
    assert table["image_digest"].to_pylist() == [pixel_digest(image) for image in images]
    assert table["label"].to_pylist() == labels
    predicted = [str(index) for index in probabilities.argmax(1)]
    assert table[f"{SOFTMAX}@1:label"].to_pylist() == predicted
    assert (table[f"{SOFTMAX}@1:confidence"].to_numpy() == probabilities.max(1)).all()
    assert (outputs["dataset"], outputs["rows"], outputs["unreadable"]) == ("base", 660, 0)
    assert [row["experiment_name"] for row in outputs["experiments"]] == [MLP, SOFTMAX]
    correct = sum(a == b for a, b in zip(predicted, labels, strict=True))
    assert outputs["experiments"][1] | {"model_digest": ""} == {
        "experiment_name": SOFTMAX,
        "version": 1,
        "model_digest": "",
        "labeled": 660,
        "correct": correct,
        "accuracy": correct / 660,
    }
    assert [one["name"] for one in outputs["unavailable"]] == ["unknown"]
    assert outputs["images_per_second"] > 0
    assert list(context.work.iterdir()) == []


def test_score_again_stores_the_same_object(loop: Loop) -> None:
    first = score.run(context_of(loop, experiments=[SOFTMAX], dataset="base"))
    again = score.run(context_of(loop, experiments=[f"{SOFTMAX}@1"], dataset="latest"))
    assert again["url"] == first["url"]


def test_score_of_a_version_has_its_additions(loop: Loop, base_path: Path) -> None:
    images, numbers = different_digits(80, 3)
    loop.upload(zip_of_digits(images, [str(number) for number in numbers]))
    with np.load(base_path) as base:
        relabeled = base["x_train"][5]
        old = str(base["y_train"][5])
    new = next(label for label in "0123456789" if label != old)
    digest = loop.label(relabeled, new)
    dataset = ingest.run(loop.start_run())

    outputs = score.run(context_of(loop, experiments=[SOFTMAX], dataset=dataset["digest"]))

    table = table_of(loop, outputs)
    rows = dict(zip(table["image_digest"].to_pylist(), table["label"].to_pylist(), strict=True))
    added = loop.rows(dataset["dataset_id"])
    assert outputs["dataset"] == dataset["digest"]
    assert table.num_rows == len(rows) == dataset["images"] > 660
    assert {image: rows[image] for image in added} == {
        image: row["label"] for image, row in added.items()
    }
    assert rows[digest] == new


def test_score_of_a_prefix_reads_images_of_other_programs(loop: Loop) -> None:
    images, numbers = different_digits(20, 7)
    folder = loop.folder / "images" / "incoming" / "may 5"
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        (folder / f"{number:02}.png").write_bytes(png(image))
    (folder / "notes.txt").write_text("not an image")
    (folder / "huge.png").write_bytes(b"\x89PNG" + bytes(3 * 2**20))
    known = loop.label(images[4], str(numbers[4]), original=None)
    withdrawn = loop.label(images[5], "3", original=None)
    loop.withdraw(withdrawn)

    outputs = score.run(context_of(loop, experiments=[SOFTMAX], prefix="incoming"))

    table = table_of(loop, outputs).to_pydict()
    assert table["key"] == [
        *(f"incoming/may 5/{number:02}.png" for number in range(20)),
        "incoming/may 5/huge.png",
        "incoming/may 5/notes.txt",
    ]
    assert table["image_digest"][4] == known
    assert [label for label in table["label"] if label is not None] == [str(numbers[4])]
    assert [error is None for error in table["error"]] == [True] * 20 + [False] * 2
    assert table[f"{SOFTMAX}@1:label"][20:] == [None, None]
    assert (outputs["prefix"], outputs["rows"], outputs["unreadable"]) == ("incoming", 22, 2)
    assert outputs["experiments"][0]["labeled"] == 1


def test_score_by_an_alias_follows_the_database(loop: Loop) -> None:
    loop.database.query(
        "INSERT INTO alias_events (task, alias, experiment_name, version, moved_by, reason) "
        "VALUES ('mnist', 'champion', %s, 1, 'ann', 'test')",
        [SOFTMAX],
    )
    outputs = score.run(context_of(loop, dataset="base"))
    assert [row["experiment_name"] for row in outputs["experiments"]] == [SOFTMAX]


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"dataset": "latest", "prefix": "in"}, "either"),
        ({"experiments": []}, "a list of names"),
        ({"experiments": "all"}, "a list of names"),
        ({"dataset": 7}, "either"),
        ({"dataset": "0" * 64}, "no such dataset"),
        ({"experiments": ["unknown"]}, "Unknown model"),
        ({"prefix": "../images"}, "folder of the storage"),
        ({"prefix": "nothing"}, "no images"),
    ],
)
def test_score_of_an_unusable_request_fails_at_once(
    loop: Loop, params: dict[str, Any], reason: str
) -> None:
    with pytest.raises(PermanentError, match=reason):
        score.run(context_of(loop, **({"experiments": [SOFTMAX]} | params)))


def test_score_of_a_task_that_is_unknown_fails_at_once(loop: Loop) -> None:
    loop.task = "letters"
    with pytest.raises(PermanentError, match="No model of the task letters"):
        score.run(context_of(loop, experiments=["all"], dataset="base"))


def test_score_ends_when_its_run_is_cancelled(loop: Loop) -> None:
    context = context_of(loop, experiments=[SOFTMAX], dataset="base")
    loop.database.query("SELECT cancel_run(%s, 'ada', 'wrong data')", [context.run.id])
    with pytest.raises(CancelledError):
        score.run(context)
    assert not (loop.folder / "images").exists()

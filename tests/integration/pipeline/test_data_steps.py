"""Steps ingest, validate and prepare, with a real Postgres and a local store."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.originals.store import OriginalStore, StorageUnavailableError
from inference.preprocessing.digits import pixel_digest
from pipeline.data import prepared
from pipeline.database import Database
from pipeline.steps import ingest, prepare, validate
from pipeline.steps.context import (
    CancelledError,
    PermanentError,
    SupersededError,
)
from tests.corpus.uploads import zip_of, zip_of_digits
from tests.support.database import use_owner
from tests.support.learning_data import Loop, different_digits, png, write_base
from training import split_dataset

CLASSES = tuple("0123456789")


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


def run_steps(loop: Loop, **params: Any) -> dict[str, dict[str, Any]]:
    """Run the three steps, and return their outputs."""
    context = loop.start_run(**params)
    outputs = {"ingest": ingest.run(context)}
    outputs["validate"] = validate.run(replace(context, outputs=outputs))
    outputs["prepare"] = prepare.run(replace(context, outputs=outputs))
    outputs["work"] = {"path": context.work}
    return outputs


def upload_row(loop: Loop, number: int) -> Mapping[str, Any]:
    return loop.database.query("SELECT * FROM uploads WHERE id = %s", [number])[0]


def test_steps_without_new_data_give_the_base(loop: Loop, base_path: Path) -> None:
    outputs = run_steps(loop)

    counts = {key: outputs["ingest"][key] for key in ("images", "train", "validation", "test")}
    assert counts == {"images": 660, "train": 550, "validation": 50, "test": 60}
    assert outputs["validate"]["contamination"] == 0
    assert sum(outputs["validate"]["per_class"].values()) == 550
    data = split_dataset.load(outputs["work"]["path"] / outputs["prepare"]["file"], CLASSES)
    assert data.sha256 == outputs["prepare"]["sha256"]
    with np.load(base_path) as base:
        np.testing.assert_array_equal(data.test.images, base["x_test"])
        np.testing.assert_array_equal(data.test.labels, base["y_test"])
    assert (len(data.train.labels), len(data.validation.labels)) == (550, 50)


def test_upload_and_labels_become_rows(loop: Loop) -> None:
    images, numbers = different_digits(80, 3)
    labels = [str(number) for number in numbers]
    upload = loop.upload(zip_of_digits(images[:50], labels[:50]))
    corrected = [loop.label(images[50 + n], labels[50 + n]) for n in range(20)]
    asked_for = [loop.label(images[70 + n], labels[70 + n], "random") for n in range(10)]

    outputs = run_steps(loop)

    assert outputs["ingest"]["uploads"] == 50
    assert outputs["ingest"]["corrections"] == 20
    assert outputs["ingest"]["audit"] == 10
    assert outputs["ingest"]["unavailable"] == 0
    rows = loop.rows(outputs["ingest"]["dataset_id"])
    assert {rows[digest]["source"] for digest in corrected} == {"correction"}
    assert {rows[digest]["source"] for digest in asked_for} == {"audit"}
    assert {(row["source"], row["weight"]) for row in rows.values() if row["split"] == "train"} == {
        ("upload", 1),
        ("correction", 3),
        ("audit", 3),
    }
    assert {row["weight"] for row in rows.values() if row["split"] != "train"} == {1}
    row = upload_row(loop, upload)
    assert (row["state"], row["images"], row["rejected"]) == ("ACCEPTED", 50, 0)
    [dataset] = loop.database.query("SELECT * FROM datasets")
    assert dataset["sources"]["uploads"] == {str(upload): 50}
    [run] = loop.database.query("SELECT dataset_id FROM pipeline_runs")
    assert run["dataset_id"] == dataset["id"]
    data = split_dataset.load(outputs["work"]["path"] / outputs["prepare"]["file"], CLASSES)
    weights = sum(row["weight"] for row in rows.values() if row["split"] == "train")
    assert len(data.train.labels) == 550 + weights
    trained = {pixel_digest(np.ascontiguousarray(image)) for image in data.train.images}
    held_out = {digest for digest, row in rows.items() if row["split"] != "train"}
    assert held_out
    assert not trained & held_out


def test_ingest_again_changes_nothing(loop: Loop) -> None:
    images, numbers = different_digits(30, 3)
    loop.upload(zip_of_digits(images, [str(number) for number in numbers]))
    first = ingest.run(loop.start_run())

    second = ingest.run(loop.start_run())

    assert second["dataset_id"] == first["dataset_id"]
    assert loop.database.query("SELECT count(*) AS n FROM datasets") == [{"n": 1}]


def test_versions_read_back_from_differences(loop: Loop) -> None:
    images, numbers = different_digits(60, 3)
    labels = [str(number) for number in numbers]
    first_upload = loop.upload(zip_of_digits(images[:20], labels[:20]))
    first = run_steps(loop)
    digest = loop.label(images[20], labels[20])
    second = run_steps(loop)
    loop.upload(zip_of_digits(images[30:], labels[30:]))
    loop.withdraw(digest)
    third = run_steps(loop)

    ids = [outputs["ingest"]["dataset_id"] for outputs in (first, second, third)]
    parents = loop.database.query("SELECT parent_id FROM datasets ORDER BY id")
    assert [row["parent_id"] for row in parents] == [None, *ids[:2]]
    assert len(loop.rows(ids[1])) == 21
    assert digest not in loop.rows(ids[2])
    assert len(loop.rows(ids[2])) == 50
    assert third["ingest"]["uploads"] == 50
    again = run_steps(loop, dataset=second["ingest"]["digest"])
    assert again["ingest"]["dataset_id"] == ids[1]
    assert again["prepare"] == second["prepare"]
    files = [(outputs["work"]["path"] / "dataset.npz").read_bytes() for outputs in (second, again)]
    assert files[0] == files[1]
    assert upload_row(loop, first_upload)["state"] == "ACCEPTED"


def test_ensure_prepares_the_dataset_on_another_machine(loop: Loop) -> None:
    context = loop.start_run()
    outputs = {"ingest": ingest.run(context)}
    outputs["prepare"] = prepare.run(replace(context, outputs=outputs))
    path = context.work / outputs["prepare"]["file"]
    content = path.read_bytes()
    path.unlink()
    for _ in range(2):
        prepared.ensure(replace(context, outputs=outputs))
    assert path.read_bytes() == content


def test_ensure_replaces_the_file_of_another_dataset(loop: Loop) -> None:
    """Before the restore of a backup, another run had the same id and thus the same folder."""
    first = run_steps(loop)
    other = (first["work"]["path"] / "dataset.npz").read_bytes()
    loop.label(different_digits(1, 3)[0][0], "7")
    context = loop.start_run()
    outputs = {"ingest": ingest.run(context)}
    outputs["prepare"] = prepare.run(replace(context, outputs=outputs))
    path = context.work / outputs["prepare"]["file"]
    content = path.read_bytes()
    assert other != content
    for wrong in (other, content[:100], b""):
        path.write_bytes(wrong)
        prepared.ensure(replace(context, outputs=outputs))
        assert path.read_bytes() == content


def test_label_outlives_its_original(loop: Loop) -> None:
    image = different_digits(1, 3)[0][0]
    digest = loop.label(image, "7")
    ingest.run(loop.start_run())
    loop.database.query(
        "UPDATE images SET original_url = NULL, stored_at = NULL, deleted_at = now()"
    )
    loop.label(different_digits(2, 4)[0][1], "3")

    outputs = ingest.run(loop.start_run())

    assert outputs["unavailable"] == 0
    assert digest in loop.rows(outputs["dataset_id"])


def test_label_without_pixels_is_unavailable_with_its_reason(loop: Loop) -> None:
    images, _ = different_digits(5, 3)
    loop.label(images[0], "7", original=None)
    loop.label(images[1], "7", original=b"text")
    loop.label(images[2], "7", original=png(images[3]))
    gone = loop.label(images[4], "7")
    loop.store.delete([f"{gone[:2]}/{gone}.png"])
    loop.label(different_digits(1, 4)[0][0], "odd")

    outputs = ingest.run(loop.start_run())

    assert outputs["corrections"] == 0
    assert outputs["unavailable"] == 5
    assert sorted(outputs["unavailable_reasons"]) == [
        "the label is not a class of the task",
        "the original cannot be decoded",
        "the original is missing in the store",
        "the original is not stored",
        "the original now has other pixels, because the preprocessing has changed",
    ]


def test_base_test_image_never_enters_a_dataset(loop: Loop, base_path: Path) -> None:
    with np.load(base_path) as base:
        images, labels = base["x_test"][:3], [str(n) for n in base["y_test"][:3]]
    upload = loop.upload(zip_of_digits(images[:1], labels[:1]))
    loop.label(images[1], labels[1])
    loop.label(images[2], "0")

    outputs = ingest.run(loop.start_run())

    assert loop.rows(outputs["dataset_id"]) == {}
    assert outputs["labels_in_test"] == 2
    row = upload_row(loop, upload)
    assert row["state"] == "REJECTED"
    assert "is one of the base dataset's test images" in row["reason"]
    assert row["rejects"][0]["path"] == f"{labels[0]}/0.png"


def test_relabeled_base_image_keeps_its_split(loop: Loop, base_path: Path) -> None:
    with np.load(base_path) as base:
        image, label = base["x_train"][5], int(base["y_train"][5])
    loop.label(image, str((label + 1) % 10))
    loop.label(different_digits(1, 3)[0][0], "3")

    outputs = run_steps(loop)

    rows = loop.rows(outputs["ingest"]["dataset_id"])
    row = rows[pixel_digest(np.ascontiguousarray(image))]
    assert (row["source"], row["weight"], row["label"]) == ("base", 1, str((label + 1) % 10))
    with np.load(outputs["work"]["path"] / "dataset.npz") as data:
        assert data["y_train"][5] == (label + 1) % 10
        np.testing.assert_array_equal(data["x_train"][5], image)
    assert outputs["ingest"]["images"] == 661


def test_disagreeing_uploads_lose_the_image(loop: Loop) -> None:
    images, numbers = different_digits(12, 3)
    labels = [str(number) for number in numbers]
    first = loop.upload(zip_of_digits(images, labels))
    ingest.run(loop.start_run())
    second = loop.upload(zip_of({"8/x.png": png(images[4]), "5/y.png": png(images[5])}))

    outputs = ingest.run(loop.start_run())

    digest = pixel_digest(np.ascontiguousarray(images[4]))
    assert digest not in loop.rows(outputs["dataset_id"])
    reason = f"Labeled 4 at 4/4.png of upload {first}, and 8 at 8/x.png of upload {second}."
    earlier, later = upload_row(loop, first), upload_row(loop, second)
    assert earlier["rejects"] == [{"path": "4/4.png", "reason": reason}]
    assert (earlier["images"], earlier["rejected"]) == (11, 1)
    assert later["rejects"] == [{"path": "8/x.png", "reason": reason}]
    assert (later["state"], later["images"], later["rejected"]) == ("ACCEPTED", 1, 1)
    third = loop.upload(zip_of({"4/z.png": png(images[4]), "6/u.png": png(images[6])}))
    outputs = ingest.run(loop.start_run())
    assert digest not in loop.rows(outputs["dataset_id"])
    assert upload_row(loop, third)["rejects"] == [{"path": "4/z.png", "reason": reason}]
    loop.label(images[4], "4")
    outputs = ingest.run(loop.start_run())
    assert loop.rows(outputs["dataset_id"])[digest]["label"] == "4"


def test_label_replaces_an_upload_until_it_is_withdrawn(loop: Loop) -> None:
    images, _ = different_digits(3, 3)
    loop.upload(zip_of({f"1/{n}.png": png(image) for n, image in enumerate(images)}))
    before = ingest.run(loop.start_run())
    digest = loop.label(images[0], "7")
    split = loop.rows(before["dataset_id"])[digest]["split"]

    corrected = loop.rows(ingest.run(loop.start_run())["dataset_id"])[digest]
    loop.withdraw(digest)
    after = ingest.run(loop.start_run())

    assert (corrected["label"], corrected["source"]) == ("7", "correction")
    assert corrected["split"] == split
    assert after["digest"] == before["digest"]


def test_unreadable_upload_is_rejected_and_the_run_goes_on(loop: Loop) -> None:
    bad = loop.upload(b"\x89PNG\r\n")
    gone = loop.upload(b"gone")
    loop.store.delete([upload_row(loop, gone)["url"].split("/images/")[1]])
    images, numbers = different_digits(3, 3)
    good = loop.upload(zip_of_digits(images, [str(number) for number in numbers]))

    outputs = run_steps(loop)

    assert outputs["ingest"]["uploads"] == 3
    assert upload_row(loop, bad)["state"] == "REJECTED"
    assert upload_row(loop, gone)["reason"] == ingest.MISSING
    assert upload_row(loop, good)["state"] == "ACCEPTED"


def test_unknown_dataset_fails_at_once(loop: Loop) -> None:
    with pytest.raises(PermanentError, match="has no dataset abc"):
        ingest.run(loop.start_run(dataset="abc"))


def test_damaged_object_fails_with_a_sentence(loop: Loop) -> None:
    images, numbers = different_digits(3, 3)
    loop.upload(zip_of_digits(images, [str(number) for number in numbers]))
    context = loop.start_run()
    outputs = {"ingest": ingest.run(context)}
    path = Path(outputs["ingest"]["url"].removeprefix("file://"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(PermanentError, match="is damaged"):
        validate.run(replace(context, outputs=outputs))


def test_small_class_fails_validation(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    small = write_base(loop.folder / "small.npz", train=40, test=20)
    monkeypatch.setenv("MNIST_PATH", str(small))
    context = loop.start_run()
    outputs = {"ingest": ingest.run(context)}

    with pytest.raises(PermanentError, match=r"The class \d has [0-4] training images"):
        validate.run(replace(context, outputs=outputs))


def test_thin_digits_are_a_warning(loop: Loop) -> None:
    images, numbers = different_digits(40, 3)
    thin = np.where(images > 250, images, 0).astype(np.uint8)
    thin[:, ::2] = 0
    loop.upload(zip_of_digits(thin, [str(number) for number in numbers]))

    outputs = run_steps(loop)

    assert any(
        text.startswith("The share of ink of the added images")
        for text in outputs["validate"]["warnings"]
    )


def test_parity_task_has_its_own_classes(loop: Loop) -> None:
    parity = Loop(loop.folder, loop.database, loop.pipeline, "parity")
    images, numbers = different_digits(20, 3)
    parity.upload(zip_of_digits(images, ["odd" if number % 2 else "even" for number in numbers]))

    outputs = run_steps(parity)

    assert list(outputs["validate"]["per_class"]) == ["even", "odd"]
    path = outputs["work"]["path"] / "dataset.npz"
    assert split_dataset.load(path, ("even", "odd")).sha256 == outputs["prepare"]["sha256"]


def test_superseded_ingest_writes_nothing(loop: Loop) -> None:
    images, numbers = different_digits(3, 3)
    upload = loop.upload(zip_of_digits(images, [str(number) for number in numbers]))
    context = loop.start_run()
    loop.database.query("UPDATE pipeline_runs SET lease_token = gen_random_uuid()")

    with pytest.raises(SupersededError):
        ingest.run(context)

    assert upload_row(loop, upload)["state"] == "RECEIVED"
    assert loop.database.query("SELECT id FROM datasets") == []


def test_cancelled_ingest_stops(loop: Loop) -> None:
    images, numbers = different_digits(3, 3)
    upload = loop.upload(zip_of_digits(images, [str(number) for number in numbers]))
    context = loop.start_run()
    loop.database.query("UPDATE pipeline_runs SET cancel_requested_at = now()")

    with pytest.raises(CancelledError):
        ingest.run(context)

    assert upload_row(loop, upload)["state"] == "RECEIVED"


class _Killed(Exception):
    """The worker dies here."""


@pytest.mark.parametrize(
    "statement", ["INSERT INTO datasets", "UPDATE uploads", "UPDATE pipeline_runs SET dataset_id"]
)
def test_ingest_killed_in_its_transaction_starts_over(
    loop: Loop, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, numbers = different_digits(30, 3)
    upload = loop.upload(zip_of_digits(images, [str(number) for number in numbers]))
    context = loop.start_run()
    functions = {
        "INSERT INTO datasets": "store_dataset",
        "UPDATE uploads": "finish_upload",
        "UPDATE pipeline_runs SET dataset_id": "use_dataset",
    }

    def killed(*_: Any) -> None:
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"pipeline.data.records.{functions[statement]}", killed)
        with pytest.raises(_Killed):
            ingest.run(context)
    assert loop.database.query("SELECT id FROM datasets") == []
    assert upload_row(loop, upload)["state"] == "RECEIVED"

    outputs = ingest.run(context)

    assert len(loop.rows(outputs["dataset_id"])) == 30
    assert upload_row(loop, upload)["state"] == "ACCEPTED"


def test_unavailable_storage_is_not_permanent(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    images, numbers = different_digits(3, 3)
    upload = loop.upload(zip_of_digits(images, [str(number) for number in numbers]))

    def fail(_self: OriginalStore, _key: str) -> bytes | None:
        raise StorageUnavailableError("away")

    monkeypatch.setattr("inference.originals.local_store.LocalStore.get", fail)
    with pytest.raises(StorageUnavailableError):
        ingest.run(loop.start_run())
    assert upload_row(loop, upload)["state"] == "RECEIVED"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_steps_killed_at_any_time_end_as_if_undisturbed(loop: Loop) -> None:
    """kill -9 after 0 to 3 s: either nothing is stored, or everything."""
    images, numbers = different_digits(400, 3)
    labels = [str(number) for number in numbers]
    upload = loop.upload(zip_of_digits(images[:380], labels[:380]))
    for number in range(380, 400):
        loop.label(images[number], labels[number])
    context = loop.start_run()
    words = [str(context.run.id), context.lease_token, str(context.work), loop.images_url]
    command = [sys.executable, "-m", "tests.support.killed_data_steps", *words]

    for seconds in np.linspace(0, 3, 10):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "started\n"
            time.sleep(float(seconds))
            child.kill()
        datasets = loop.database.query("SELECT * FROM datasets")
        assert len(datasets) == (upload_row(loop, upload)["state"] == "ACCEPTED")
        for dataset in datasets:
            assert len(loop.rows(dataset["id"])) == 400

    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    outputs = json.loads(done.stdout.splitlines()[-1])
    [dataset] = loop.database.query("SELECT * FROM datasets")
    assert dataset["digest"] == outputs["ingest"]["digest"]
    data = split_dataset.load(context.work / "dataset.npz", CLASSES)
    assert data.sha256 == outputs["prepare"]["sha256"]
    assert list(context.work.glob("upload-*")) == []
    loop.database.query("DELETE FROM pipeline_steps")
    loop.database.query("UPDATE pipeline_runs SET dataset_id = NULL")
    loop.database.query("DELETE FROM dataset_images")
    loop.database.query("DELETE FROM datasets")
    loop.database.query("UPDATE uploads SET state = 'RECEIVED'")
    undisturbed = run_steps(loop)
    assert undisturbed["ingest"]["digest"] == outputs["ingest"]["digest"]
    assert undisturbed["prepare"] == outputs["prepare"]

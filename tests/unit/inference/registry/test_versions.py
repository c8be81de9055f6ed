"""Versions of a registry: which keys count, and which files a card confirms."""

from typing import Any

import pytest

from inference.model_format.card import Card, FileRecord, Parity
from inference.registry.versions import (
    RefusedVersionError,
    RemoteFile,
    RemoteVersion,
    check_card_size,
    files_to_fetch,
    has_robustness,
    read_listing,
)

PARITY = Parity(1, 0.0, equal_argmax=True)
RECORDS = {
    "model.keras": FileRecord("b" * 64, 20),
    "model.tflite": FileRecord("a" * 64, 10),
    "reference.json": FileRecord("c" * 64, 2),
}
SIZES = {"card.json": 5, "model.keras": 20, "model.tflite": 10, "reference.json": 2}
HOSTILE = [
    "../a/card.json", "a/../card.json", "/a/1/card.json", "a/1/../card.json", "a//card.json",
    "a/1/b/card.json", "a/0/card.json", "a/01/card.json", "a/1x/card.json", "a/\u0661/card.json",
    "a/9999999999/card.json", ".a/1/card.json", "a b/1/card.json", "a\\b/1/card.json",
    "%2e%2e/1/card.json", "a.keras/1/card.json", "a\n/1/card.json", "card.json", "a/card.json", "",
    "a" * 129 + "/1/card.json",
]  # fmt: skip


def listed(*keys: str) -> Any:
    return read_listing((key, RemoteFile(1, "e")) for key in keys)


def remote(**sizes: int | None) -> RemoteVersion:
    all_sizes = {**SIZES, **{name.replace("_", "."): size for name, size in sizes.items()}}
    files = {name: RemoteFile(size, "e") for name, size in all_sizes.items() if size is not None}
    return RemoteVersion("mine", 1, files)


def card(**records: FileRecord | None) -> Card:
    all_records = {**RECORDS, **{name.replace("_", "."): item for name, item in records.items()}}
    files = {name: record for name, record in all_records.items() if record is not None}
    return Card("mine", files, PARITY)


def test_listing_has_the_versions_with_a_card() -> None:
    listing = listed("a/1/card.json", "a/1/model.tflite", "a/2/.claim", "b/10/card.json")
    assert sorted(listing.versions) == [("a", 1), ("b", 10)]
    assert set(listing.versions["a", 1].files) == {"card.json", "model.tflite"}
    assert listing.ignored == 0


@pytest.mark.parametrize("key", HOSTILE, ids=range(len(HOSTILE)))
def test_listing_ignores_a_hostile_key(key: str) -> None:
    listing = listed(key, "a/1/card.json")
    assert (list(listing.versions), listing.ignored, listing.examples) == ([("a", 1)], 1, [key])


def test_listing_keeps_few_examples() -> None:
    listing = listed(*(f"odd {number}" for number in range(100)))
    assert (listing.ignored, len(listing.examples)) == (100, 5)


def test_fingerprint_changes_with_an_etag() -> None:
    first, second = (
        RemoteVersion("a", 1, {"card.json": RemoteFile(1, etag)}).fingerprint for etag in "xy"
    )
    assert first != second


def test_files_to_fetch_leave_out_the_keras_file() -> None:
    assert set(files_to_fetch(remote(), card())) == {"model.tflite", "reference.json"}
    assert set(files_to_fetch(remote(model_keras=None), card())) == {
        "model.tflite",
        "reference.json",
    }


def test_files_to_fetch_ignore_records_of_other_names() -> None:
    others = {"../x": FileRecord("a" * 64, 1), ".x.json": FileRecord("a" * 64, 1)}
    assert set(files_to_fetch(remote(), card(**others))) == {"model.tflite", "reference.json"}


@pytest.mark.parametrize(
    ("sizes", "records", "reason"),
    [
        ({"model_tflite": 9}, {}, "model.tflite has 9 bytes, but card.json records 10"),
        ({"model_keras": 1}, {}, "model.keras has 1 bytes, but card.json records 20"),
        ({"model_tflite": None}, {}, "model.tflite is missing, but card.json records it"),
        ({"reference_json": None}, {}, "reference.json is missing"),
        ({}, {"model_tflite": None}, "does not record model.tflite"),
        ({}, {"model_tflite": FileRecord("a" * 63, 10)}, "no valid size and SHA-256"),
        ({}, {"model_tflite": FileRecord("A" * 64, 10)}, "no valid size and SHA-256"),
        ({}, {"model_tflite": FileRecord("a" * 64, 2**40)}, "no valid size and SHA-256"),
        ({}, {"model_tflite": FileRecord("a" * 64, 0)}, "no valid size and SHA-256"),
        ({}, {"model_tflite": FileRecord("a" * 64, True)}, "no valid size and SHA-256"),  # noqa: FBT003
    ],
)
def test_files_to_fetch_refuse_an_unconfirmed_file(
    sizes: dict[str, int | None], records: dict[str, FileRecord | None], reason: str
) -> None:
    with pytest.raises(RefusedVersionError, match=reason):
        files_to_fetch(remote(**sizes), card(**records))


@pytest.mark.parametrize("size", [0, 2**20 + 1])
def test_card_of_an_invalid_size_is_refused(size: int) -> None:
    with pytest.raises(RefusedVersionError, match=r"card.json has \d+ bytes, but the limits"):
        check_card_size(remote(card_json=size))


def test_robustness_counts_up_to_its_limit() -> None:
    assert not has_robustness(remote())
    assert has_robustness(remote(robustness_json=2**16))
    assert not has_robustness(remote(robustness_json=2**16 + 1))

"""Origin of a model: what the database stores of a card."""

from dataclasses import replace
from typing import Any

import pytest

from inference.model_format.card import Card, Parity
from inference.models.origin import describe_origin

CARD = Card("e", {}, Parity(0, 0.0, equal_argmax=True))


def test_origin_of_a_pipeline_model_names_run_and_dataset() -> None:
    card = replace(
        CARD,
        run={"id": 20, "seed": 3},
        data={"name": "mnist", "sha256": "ab", "dataset_digest": "cd"},
        code={"sha256": "ef", "keras": "3.15", "tensorflow": "2.21"},
    )

    assert describe_origin(card) == {
        "run_id": 20,
        "seed": 3,
        "dataset_digest": "cd",
        "data_sha256": "ab",
        "code_sha256": "ef",
        "keras": "3.15",
        "tensorflow": "2.21",
    }


def test_origin_of_a_card_without_statements_is_none() -> None:
    assert describe_origin(CARD) is None


@pytest.mark.parametrize("value", [-1, 2**63, True, "7", 1.0, [1], {}])
def test_origin_leaves_out_run_ids_of_another_type(value: Any) -> None:
    assert describe_origin(replace(CARD, run={"id": value})) is None


@pytest.mark.parametrize("value", ["", "a\0b", "x" * 201, 5, ["ab"], {"a": 1}])
def test_origin_leaves_out_digests_of_another_type(value: Any) -> None:
    assert describe_origin(replace(CARD, data={"sha256": value})) is None

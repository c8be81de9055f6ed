"""Model version: its identity in the database, and access to its network."""

from dataclasses import replace
from pathlib import Path

import pytest

from inference.errors import ModelFailedError, ModelNotReadyError
from inference.model_format.card import CARD_FILE, Card, InputSpec
from inference.models.version import ModelVersion, State
from tests.conftest import SHIPPED
from tests.unit.inference.conftest import Serve

MODEL = ModelVersion("a", State.LOADING, digest="d" * 64)


@pytest.mark.parametrize(
    "other",
    [
        replace(MODEL, name="b"),
        replace(MODEL, version=2),
        replace(MODEL, digest="e" * 64),
        replace(MODEL, task="letters"),
        replace(MODEL, classes=("even", "odd")),
        replace(MODEL, input=InputSpec(scale=0.5)),
        replace(MODEL, input=InputSpec(offset=0.5)),
        replace(MODEL, input=InputSpec(transpose=True)),
        replace(MODEL, output="logits"),
    ],
)
def test_id_depends_on_content_and_signature(other: ModelVersion) -> None:
    assert other.id != MODEL.id


def test_id_does_not_depend_on_state_and_results() -> None:
    other = replace(MODEL, state=State.FAILED, reason="broken", test_accuracy=0.5, bytes=3)
    assert other.id == MODEL.id


def test_id_of_an_input_without_newer_keys_is_stable() -> None:
    """Stored predictions refer to these ids, which the code before those keys made."""
    ids = [
        replace(MODEL, input=spec).id
        for spec in (InputSpec(), InputSpec(32, 32, scale=0.5, invert=True))
    ]
    assert ids == [
        "1abbf805-6323-8fc5-8d4f-45365f442de7",
        "525e021b-fdfe-806d-80dd-187c92fb9086",
    ]


def test_from_card_takes_the_signature_of_the_card(shipped_names: list[str]) -> None:
    card = Card.read(SHIPPED / shipped_names[0] / CARD_FILE)
    model = ModelVersion.from_card("a", 3, "d" * 64, 99, card)
    assert (model.state, model.version, model.digest, model.bytes) == (
        State.LOADING,
        3,
        "d" * 64,
        99,
    )
    assert (model.classes, model.input, model.parity) == (card.classes, card.input, card.parity)
    assert model.test_accuracy == card.metrics["test_accuracy"]


def test_network_of_a_model_that_is_not_ready_raises() -> None:
    with pytest.raises(ModelNotReadyError):
        MODEL.network()
    with pytest.raises(ModelFailedError):
        replace(MODEL, state=State.FAILED).resolve()
    assert (MODEL.is_loaded, MODEL.memory_bytes) == (False, 0)


def test_resolve_of_a_ready_model_returns_itself(serve: Serve, models_dir: Path) -> None:
    model = serve(models_dir).snapshot().all()[0]
    assert model.resolve() == (model, model.network())
    assert model.is_loaded
    assert model.memory_bytes > 0

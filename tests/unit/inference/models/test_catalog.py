"""Model catalog: resolution of names, versions, aliases and `all`."""

import pytest

from inference.errors import MalformedRequestError
from inference.models.catalog import ModelCatalog, Unresolved
from inference.models.version import ModelVersion, State
from inference.probe.report import ProbeReport, Reading

MODELS = ModelCatalog(
    [
        ModelVersion("a", State.READY, 1, test_accuracy=0.99),
        ModelVersion("a", State.READY, 2, test_accuracy=0.97),
        ModelVersion("a", State.FAILED, 3, reason="broken"),
        ModelVersion("b", State.READY, 1, test_accuracy=0.98),
        ModelVersion("c", State.LOADING, 1),
        ModelVersion("d", State.READY, 1, task="letters", test_accuracy=0.5),
        ModelVersion("e", State.READY, 1),
        ModelVersion("f", State.FAILED, 1, reason="broken", test_accuracy=1.0),
    ]
)


def selected(*wanted: str) -> list[str]:
    """Return the selection as NAME@VERSION, or as the name and kind of its error."""
    return [
        f"{model.name}: {model.error.kind}"
        if isinstance(model, Unresolved)
        else f"{model.name}@{model.version}"
        for model in MODELS.select(wanted)
    ]


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (["a"], ["a@2"]),
        (["a@1", "b"], ["a@1", "b@1"]),
        (["a@3"], ["a@3"]),
        (["c"], ["c@1"]),
        (["a@champion"], ["a@1"]),
        (["champion"], ["d@1", "b@1"]),
        (["all"], ["a@2", "b@1", "d@1", "e@1"]),
        (["b", "all", "b@1", "a@2"], ["b@1", "a@2", "d@1", "e@1"]),
        (["nobody", "b", "nobody"], ["nobody: unknown-experiment", "b@1"]),
        (["a@9"], ["a@9: unknown-experiment"]),
        (["nobody@champion"], ["nobody@champion: unknown-experiment"]),
        (["e@champion"], ["e@champion: unknown-experiment"]),
        (["a@best"], ["a@best: unknown-experiment"]),
        ([], []),
    ],
)
def test_select_returns_named_models_in_order_without_duplicates(
    wanted: list[str], answer: list[str]
) -> None:
    assert selected(*wanted) == answer


def test_select_on_an_empty_catalog_has_no_champion() -> None:
    nothing = ModelCatalog([])
    assert nothing.select(["all"]) == []
    assert [type(model) for model in nothing.select(["champion"])] == [Unresolved]


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "@",
        "@3",
        "a@",
        "a@@3",
        "a@-1",
        "a@3.0",
        "a@BEST",
        "a b",
        "../a",
        "a@3\n",
        "a\n",
        "a@٣",
        "a" * 129,
    ],
)
def test_select_malformed_name_raises(wanted: str) -> None:
    with pytest.raises(MalformedRequestError):
        MODELS.select([wanted])


def test_champion_reads_the_probe_digits() -> None:
    """A card may promise anything: a version that fails the probe is not the default."""
    good, bad = (ProbeReport(Reading(share, 200), passed=share > 0.7) for share in (0.95, 0.12))
    models = ModelCatalog(
        [
            ModelVersion("a", State.READY, test_accuracy=0.99, probe=bad),
            ModelVersion("b", State.READY, test_accuracy=0.98, probe=good),
            ModelVersion("c", State.READY, test_accuracy=0.97, probe=ProbeReport(Reading())),
            ModelVersion("d", State.READY, task="lone", test_accuracy=0.97, probe=bad),
        ]
    )
    [champion] = models.select(["champion"])
    assert champion.name == "b"
    assert [model.name for model in models.select(["a", "all"])] == ["a", "b", "c", "d"]
    [unresolved] = models.select(["lone@champion"])
    assert isinstance(unresolved, Unresolved)

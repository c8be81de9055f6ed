"""Targets of an alias for a bundle, as the API of a stack gives them."""

from typing import Any

import pytest

from delivery.alias_targets import AliasTarget, resolve
from delivery.models import BundleError
from tests.support.fake_service import serve


def row(task: str, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "task": task,
        "alias": "champion",
        "experiment_name": name,
        "version": 2,
        "model_digest": "d" * 64,
        **changes,
    }


ALIASES = {"aliases": (200, {"aliases": [row("mnist", "a"), row("parity", "b")]})}


def test_resolve_gives_target_of_each_task() -> None:
    keys: list[str | None] = []
    with serve(ALIASES, keys) as url:
        found = resolve({"API_URL": url, "API_KEY": "k"}, "champion", None)
        assert resolve({"API_URL": url}, "champion", "parity") == found[1:]
    assert found == [
        AliasTarget("mnist", "champion", "a", 2, "d" * 64),
        AliasTarget("parity", "champion", "b", 2, "d" * 64),
    ]
    assert keys == ["k", None]


@pytest.mark.parametrize(
    ("alias", "task", "message"),
    [
        ("shadow", None, r"No alias 'shadow'\. .* champion \(mnist\), champion \(parity\)"),
        ("champion", "letters", "No alias 'champion' in the task 'letters'"),
    ],
)
def test_resolve_unknown_alias_lists_those_that_exist(
    alias: str, task: str | None, message: str
) -> None:
    with serve(ALIASES) as url, pytest.raises(BundleError, match=message):
        resolve({"API_URL": url}, alias, task)


def test_resolve_without_stack_says_what_to_do() -> None:
    environ = {"API_URL": "http://127.0.0.1:9/api/v1.0"}
    with pytest.raises(BundleError, match=r"ALIAS=champion needs .* Start the stack .* API_URL"):
        resolve(environ, "champion", None)


def test_resolve_with_refused_key_gives_the_reason() -> None:
    refused = {"aliases": (401, {"detail": "Send an API key."})}
    with serve(refused) as url, pytest.raises(BundleError, match="Send an API key"):
        resolve({"API_URL": url}, "champion", None)

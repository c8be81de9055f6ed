"""/aliases: arguments that reach the promotions, and those that are rejected before."""

from typing import Any, cast

import pytest

from inference.api.aliases import AliasesApi
from inference.errors import MalformedRequestError

MOVE = {"experiment_name": "a", "version": 3, "reason": "better", "moved_by": "ann"}


class FakePromotions:
    """Returns the arguments of each call."""

    def all(self) -> list[str]:
        return ["alias"]

    def get(self, *arguments: Any) -> Any:
        return arguments

    def move(self, *arguments: Any) -> Any:
        return arguments

    def roll_back(self, *arguments: Any) -> Any:
        return arguments


API = AliasesApi(cast("Any", FakePromotions()))


def test_list_aliases_returns_every_alias() -> None:
    assert API.list_aliases() == {"aliases": ["alias"]}


def test_operations_pass_their_arguments() -> None:
    alias = ("mnist", "champion")
    assert cast("Any", API.get_alias(*alias)) == alias
    assert cast("Any", API.move_alias(*alias, MOVE)) == (*alias, "a", 3, "ann", "better")
    latest = {**MOVE, "version": None}
    assert cast("Any", API.move_alias(*alias, latest)) == (*alias, "a", None, "ann", "better")
    back = {"reason": "worse", "moved_by": "ann"}
    assert cast("Any", API.roll_alias_back(*alias, back)) == (*alias, "ann", "worse")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"experiment_name": "a b"}, "experiment_name"),
        ({"experiment_name": "a" * 129}, "experiment_name"),
        ({"version": 0}, "version"),
        ({"reason": ""}, "reason"),
        ({"reason": "r" * 501}, "reason"),
        ({"moved_by": "m" * 101}, "moved_by"),
        ({"more": 1}, ""),
    ],
)
def test_move_alias_with_bad_field_names_it(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        API.move_alias("mnist", "champion", {**MOVE, **changes})
    assert raised.value.path == path


@pytest.mark.parametrize("document", [{}, {"reason": "r"}, MOVE, None])
def test_roll_alias_back_with_bad_body_raises(document: Any) -> None:
    with pytest.raises(MalformedRequestError):
        API.roll_alias_back("mnist", "champion", document)


@pytest.mark.parametrize("alias", [("Mnist", "champion"), ("mnist", "all")])
def test_operations_with_bad_alias_raise(alias: tuple[str, str]) -> None:
    with pytest.raises(MalformedRequestError):
        API.get_alias(*alias)
    with pytest.raises(MalformedRequestError):
        API.move_alias(*alias, MOVE)
    with pytest.raises(MalformedRequestError):
        API.roll_alias_back(*alias, {})

"""Watched versions: at most 8 of a task, the champion first, each once."""

from dataclasses import replace

from monitoring.storage.versions import MAX_VERSIONS, Version, choose

CHAMPION = Version("mnist", "0", "a", 1, "d", ("even", "odd"), None, is_champion=True)


def test_first_candidates_are_chosen_once() -> None:
    others = [replace(CHAMPION, id=str(number % 12), is_champion=False) for number in range(24)]
    chosen = choose([CHAMPION, *others, replace(CHAMPION, task="parity")])
    assert [version.id for version in chosen["mnist"]] == [str(n) for n in range(MAX_VERSIONS)]
    assert chosen["mnist"][0].is_champion
    assert len(chosen["parity"]) == 1


def test_indices_are_in_the_order_of_the_output() -> None:
    assert CHAMPION.indices == {"even": 0, "odd": 1}

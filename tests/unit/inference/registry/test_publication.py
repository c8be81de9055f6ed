"""Publication: each publisher gets a number of its own, and the card comes last."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from inference.model_format.card import CARD_FILE
from inference.registry.bucket import Bucket, RegistryError
from inference.registry.publication import add_version, published_cards
from tests.support.registry import write_version
from tests.unit.inference.registry.conftest import LocalRegistry


def test_version_is_mirrored_after_its_publication(registry: LocalRegistry, tmp_path: Path) -> None:
    folder = write_version(tmp_path / "new")
    assert [add_version(registry.bucket, "mine", folder) for _ in range(2)] == [1, 2]
    registry.mirror().poll()
    assert registry.mirrored() == ["mine/1", "mine/2"]


def test_number_is_above_claims_and_the_local_versions(
    registry: LocalRegistry, tmp_path: Path
) -> None:
    folder = write_version(tmp_path / "new")
    registry.bucket.create("mine/4/.claim", b"")
    assert add_version(registry.bucket, "mine", folder) == 5
    assert add_version(registry.bucket, "mine", folder, above=10) == 11


def test_publishers_at_once_get_numbers_of_their_own(
    registry: LocalRegistry, tmp_path: Path
) -> None:
    folder = write_version(tmp_path / "new")
    with ThreadPoolExecutor(8) as pool:
        numbers = pool.map(lambda _: add_version(Bucket(registry.url), "mine", folder), range(8))
        assert sorted(numbers) == list(range(1, 9))


@pytest.mark.parametrize("uploaded", [0, 1, 2, 3])
def test_crash_in_the_middle_leaves_no_served_version(
    registry: LocalRegistry, tmp_path: Path, uploaded: int
) -> None:
    folder = write_version(tmp_path / "new")
    left = uploaded

    class Dying(Bucket):
        def put(self, key: str, file: BinaryIO) -> None:
            nonlocal left
            if not left:
                raise RegistryError("killed")
            left -= 1
            super().put(key, file)

    with pytest.raises(RegistryError):
        add_version(Dying(registry.url), "mine", folder)
    mirror = registry.mirror()
    assert mirror.poll()
    assert (registry.mirrored(), mirror.status.refused) == ([], {})
    assert len(list((registry.root / "mine" / "1").iterdir())) == 1 + uploaded
    assert add_version(registry.bucket, "mine", folder) == 2


def test_claim_says_whose_it_is(registry: LocalRegistry, tmp_path: Path) -> None:
    add_version(registry.bucket, "mine", write_version(tmp_path / "new"))
    claim = json.loads((registry.root / "mine" / "1" / ".claim").read_text())
    assert set(claim) == {"claimed_at", "host", "pid"}


def test_published_cards_leave_out_invalid_ones(registry: LocalRegistry) -> None:
    registry.add("mine/1", task="letters")
    (registry.add("mine/2") / CARD_FILE).write_text("{")
    (registry.add("mine/3") / CARD_FILE).write_text("[" * 50_000)
    registry.add("mine/10")
    registry.add("other/1")
    found = list(published_cards(registry.bucket, "mine"))
    assert [(number, card.task) for number, card in found] == [(1, "letters"), (10, "mnist")]

"""Ids of events are UUIDs that rise with time."""

from inference import ids


def test_event_ids_are_rising_uuids_of_version_7() -> None:
    first, second = (ids.first_event_id(1_700_000_000_000_000 + step) for step in (0, 1000))
    assert [number >> 76 & 15 for number in (first, second)] == [7, 7]
    assert [number >> 62 & 3 for number in (first, second)] == [2, 2]
    assert first >> 80 == 1_700_000_000_000
    assert first + ids.MAX_AT_ONCE <= second

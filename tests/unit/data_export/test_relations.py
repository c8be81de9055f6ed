from datetime import UTC, date, datetime

import pytest

from data_export.relations import DAILY, WHOLE, Relation, relations


def test_relations_have_unique_names() -> None:
    names = [relation.name for relation in relations(pixels=True)]
    assert len(names) == len(set(names)) == 9


def test_relations_have_pixels_only_on_request() -> None:
    assert "pixels" not in {relation.name for relation in relations(pixels=False)}


def test_daily_relation_has_a_hive_partition() -> None:
    assert DAILY[1].path(date(2026, 11, 27)) == "events/day=2026-11-27/part.parquet"
    assert WHOLE[0].path() == "labels.parquet"


@pytest.mark.parametrize("relation", DAILY)
def test_daily_query_has_its_limits(relation: Relation) -> None:
    begin, end = datetime(2026, 11, 27, tzinfo=UTC), datetime(2026, 11, 28, tzinfo=UTC)
    query = relation.part(begin, end)
    assert f"{relation.time} >= '2026-11-27T00:00:00+00:00'" in query
    assert f"{relation.time} < '2026-11-28T00:00:00+00:00'" in query

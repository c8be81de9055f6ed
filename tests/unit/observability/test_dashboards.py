"""Grafana's dashboards: the committed files are those of the code, and use its datasources."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.__main__ import DIRECTORY, build_all
from observability.dashboards.panels import POSTGRES, PROMETHEUS

PROVISIONING = DIRECTORY.parent / "provisioning"
FILES = sorted(DIRECTORY.glob("*.json"))


def panels(path: Path) -> list[dict[str, Any]]:
    """Return the panels with queries."""
    return [panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"]


def test_committed_files_are_those_of_the_code() -> None:
    """`make dashboards` writes them."""
    assert {path.name: path.read_text() for path in FILES} == dict(build_all())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_is_read_back_by_the_sdk(path: Path) -> None:
    document = json.loads(path.read_text())
    read = Dashboard.from_json(document)
    assert (read.title, len(read.panels or [])) == (document["title"], len(document["panels"]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_panels_are_numbered_explained_and_on_the_grid(path: Path) -> None:
    document = json.loads(path.read_text())
    numbers = [panel["id"] for panel in document["panels"]]
    assert len(set(numbers)) == len(numbers)
    cells: set[tuple[int, int]] = set()
    for panel in panels(path):
        assert panel["description"].endswith(".")
        assert panel["targets"]
        assert panel["options"]
        place = panel["gridPos"]
        own = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not own & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        cells |= own


def test_datasources_are_provisioned() -> None:
    path = PROVISIONING / "datasources" / "datasources.yml"
    provisioned = {
        (source["type"], source["uid"])
        for source in yaml.safe_load(path.read_text())["datasources"]
    }
    assert provisioned == {(own.type_val, own.uid) for own in (PROMETHEUS, POSTGRES)}
    used = {
        (target["datasource"]["type"], target["datasource"]["uid"])
        for path in FILES
        for panel in panels(path)
        for target in panel["targets"]
    }
    assert used == provisioned

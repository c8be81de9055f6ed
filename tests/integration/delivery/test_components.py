"""Component list of a bundle, validated against the schema of CycloneDX."""

import json
from pathlib import Path

import pytest

from delivery import components
from delivery.models import BundleError, choose, read

ROOT = Path(__file__).parents[3]
LIBRARY = {"type": "library", "name": "numpy", "version": "2.0"}
PACKAGES = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [LIBRARY]}


def test_list_with_all_models_is_valid(tmp_path: Path) -> None:
    models = [read(key, files) for key, files in choose(ROOT / "models", []).items()]
    path = tmp_path / "folder" / "sbom.cdx.json"
    components.write(components.with_models(PACKAGES, models, "repo/inference:1", "abc"), path)
    assert len(json.loads(path.read_text())["components"]) == 1 + len(models)


def test_invalid_list_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "sbom.cdx.json"
    with pytest.raises(BundleError, match="not valid CycloneDX"):
        components.write({**PACKAGES, "components": [{"type": "model"}]}, path)
    assert not path.exists()

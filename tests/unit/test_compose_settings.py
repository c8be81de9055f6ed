"""Compose: the containers get every documented setting of the code that runs in them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parent.parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
# Set by the image, or passed under the name that libpq reads.
ELSEWHERE = {"PIPELINE_WORK", "MLOPS_PIPELINE_PASSWORD"}
ALSO_READ = {"IMAGES_URL", "MAX_IMAGE_BYTES", "PROBE_MIN_ACCURACY"}
ALWAYS = {"guard", "db", "db-setup", "inference", "web"}


def service(name: str) -> dict[str, Any]:
    return dict(COMPOSE["services"][name])


def test_pipeline_gets_every_setting_of_the_learning_loop() -> None:
    page = (ROOT / "doc" / "learning-loop.md").read_text()
    table = page[page.index("## Settings") :]
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE))
    assert len(documented) > len(ELSEWHERE)
    assert (documented | ALSO_READ) - ELSEWHERE - service("pipeline")["environment"].keys() == set()


def storage_variables() -> set[str]:
    names = service("inference")["environment"]
    return {name for name in names if re.match("AWS_|GOOGLE_|AZURE_|IMAGES_URL$", name)}


def test_pipeline_stores_objects_where_inference_does() -> None:
    assert len(storage_variables()) > 5
    assert storage_variables() - service("pipeline")["environment"].keys() == set()


def test_export_reads_as_mlops_read_and_writes_to_buckets() -> None:
    environment = service("export")["environment"]
    assert environment["PGUSER"] == "mlops_read"
    assert storage_variables() - {"IMAGES_URL"} - environment.keys() == set()
    assert service("export")["build"]["target"] == "pipeline"


def test_inference_gets_every_setting_of_the_monitor() -> None:
    """Its metrics have a fixed address in the image, and the model directory, too."""
    page = (ROOT / "doc" / "monitoring.md").read_text()
    table = page[page.index("## Settings") :]
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE))
    names = {name for name in documented if name.startswith("MONITOR")}
    fixed = {"MONITOR_METRICS_HOST", "MONITOR_METRICS_PORT"}
    assert len(names) > len(fixed)
    assert names - fixed - service("inference")["environment"].keys() == set()


def test_inference_gets_every_setting_of_tracking() -> None:
    page = (ROOT / "doc" / "tracking.md").read_text()
    table = page[page.index("## Settings") :]
    names = set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE))
    assert "TRACKING" in names
    assert names - service("inference")["environment"].keys() == set()


def test_services_without_a_profile_are_the_stack() -> None:
    assert {name for name in COMPOSE["services"] if "profiles" not in service(name)} == ALWAYS


@pytest.mark.parametrize("name", ["inference", "pipeline"])
def test_registry_file_replaces_the_model_directory(name: str) -> None:
    own = yaml.safe_load((ROOT / "docker-compose.registry.yml").read_text())["services"][name]
    assert own["volumes"] == ["registry:/models"]
    assert any(
        volume.partition(":")[2].startswith("/models") for volume in service(name)["volumes"]
    )
    page = (ROOT / "doc" / "registry.md").read_text()
    secrets = set(re.findall(r"`([A-Z_]+_FILE)`", page))
    assert own["environment"].keys() == {"MODELS_URL", "MODELS_POLL_SECONDS", *secrets}


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_cluster_shares_its_network_with_pipeline_only(name: str) -> None:
    is_on_scale = "scale" in service(name).get("networks", [])
    assert is_on_scale == (name in {"scheduler", "scale-worker", "pipeline"})


@pytest.mark.parametrize("name", sorted(ALWAYS | {"scheduler", "scale-worker", "pgadmin"}))
def test_models_are_writable_for_pipeline_only(name: str) -> None:
    volumes = service(name).get("volumes", [])
    assert [
        volume for volume in volumes if volume.startswith("./") and not volume.endswith(":ro")
    ] == []
    assert "./models:/models" in service("pipeline")["volumes"]


def test_build_context_has_all_copied_folders() -> None:
    """.dockerignore excludes all but the folders that it names with an exclamation mark."""
    files = [ROOT / folder / "Dockerfile" for folder in ("db", "inference", "pgadmin", "web")]
    copied = {
        source.split("/")[0]
        for file in files
        for source in re.findall(r"^COPY (?!--)(\S+)", file.read_text(), re.MULTILINE)
    }
    context = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    assert len(copied) > 5
    assert copied - context == set()

"""Templates of CI and deployment: they call targets that exist, store no key, name no registry."""

import re
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[3]
TEMPLATES = [
    *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
    ROOT / ".gitlab-ci.yml",
    ROOT / "deploy" / "cloudrun.yaml",
]
PIPELINES = TEMPLATES[:-1]
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
PIN = re.compile(r"uses: (?P<action>[^.$\s][^@\s]*)@(?P<commit>\S+)(?P<comment>.*)")
# The variables of the job token of GitLab, which ends with the job.
STORED = re.compile(r"secrets\.|credentials_json|service_account_key|_PRIVATE_KEY")
REGISTRIES = re.compile(r"pypi\.org|pythonhosted|ghcr\.io|docker\.io|pkg\.dev|quay\.io|gcr\.io")

each_template = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)


def test_templates_call_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = {target for path in PIPELINES for target in MAKE.findall(path.read_text())}
    assert {"lint", "lint-deploy", "test", "audit", "bundle", "smoke"} <= called
    assert called - {"make"} <= targets


def test_actions_are_pinned_by_commit_with_version() -> None:
    pins = [match for path in PIPELINES for match in PIN.finditer(path.read_text())]
    assert len(pins) > 10
    for match in pins:
        assert re.fullmatch(r"[0-9a-f]{40}", match["commit"]), match[0]
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", match["comment"]), match[0]
    commits: dict[str, set[str]] = {}
    for match in pins:
        commits.setdefault(match["action"], set()).add(match["commit"])
    assert {action: found for action, found in commits.items() if len(found) > 1} == {}


@each_template
def test_template_stores_no_key_and_names_no_registry(path: Path) -> None:
    text = path.read_text()
    assert STORED.findall(text) == []
    assert REGISTRIES.findall(text) == []


def test_jobs_that_change_production_need_its_approval() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
    changing = {name for name, job in workflow["jobs"].items() if "update-traffic" in str(job)}
    assert changing == {"cloud-run", "rollback"}
    assert {workflow["jobs"][name]["environment"] for name in changing} == {"production"}


def test_traffic_moves_after_the_smoke_test_of_the_candidate() -> None:
    for path in (ROOT / ".github" / "workflows" / "deploy.yml", ROOT / ".gitlab-ci.yml"):
        text = path.read_text()
        order = [
            text.index(words)
            for words in ("make bundle", "make smoke IMAGE", "--no-traffic", "make smoke URL")
        ]
        order.append(text.index("--to-tags candidate=100"))
        assert order == sorted(order)

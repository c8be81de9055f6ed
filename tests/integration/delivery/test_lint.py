"""Lint of the templates: those of the project are clean, and planted faults are found."""

import shutil
from pathlib import Path

import pytest

from delivery.lint import GITLAB, MANIFESTS, WORKFLOWS, lint

ROOT = Path(__file__).parents[3]
CI, DEPLOY = f"{WORKFLOWS}/ci.yml", f"{WORKFLOWS}/deploy.yml"
CLOUD_RUN = f"{MANIFESTS}/cloudrun.yaml"
STACK, INFERENCE = f"{MANIFESTS}/stack.yml", f"{MANIFESTS}/k8s/base/inference.yaml"
WEB, DATABASE = f"{MANIFESTS}/k8s/base/web.yaml", f"{MANIFESTS}/k8s/base/database-setup.yaml"
OVERLAY = f"{MANIFESTS}/k8s/overlays/registry/kustomization.yaml"
pytestmark = pytest.mark.timeout(300)  # the first run installs the tools
# File, text, replacement, and the tool with the words that name the fault.
FAULTS = {
    "action without a commit": (
        CI,
        "setup-python@42375524e23c412d93fb67b49958b491fce71c38 # v5.4.0",
        "setup-python@v5",
        ("zizmor", "unpinned-uses"),
    ),
    "commit without its version": (CI, "683 # v4.2.2", "683", ("pins", "no comment")),
    "credentials that stay": (
        CI,
        "with: { persist-credentials: false }",
        "with: { fetch-depth: 1 }",
        ("zizmor", "artipacked"),
    ),
    "code from a title": (
        CI,
        "run: make test-compose",
        'run: echo "${{ github.event.pull_request.title }}"',
        ("zizmor", "template-injection"),
    ),
    "unknown runner": (CI, "ubuntu-24.04", "ubuntu-2404", ("actionlint", "ubuntu-2404")),
    "needs an unknown job": (DEPLOY, "needs: image", "needs: images", ("actionlint", "images")),
    "all permissions": (
        DEPLOY,
        "permissions: {}",
        "permissions: write-all",
        ("zizmor", "excessive-permissions"),
    ),
    "misspelled key of a job": (
        DEPLOY,
        "timeout-minutes: 20",
        "timeout-minute: 20",
        ("check-jsonschema", "timeout-minute"),
    ),
    "job with a reserved name": (
        GITLAB,
        "build-bundle:\n",
        "image:\n",
        ("check-jsonschema", GITLAB),
    ),
    "misspelled key of a revision": (
        CLOUD_RUN,
        "timeoutSeconds: 60",
        "timeoutSecond: 60",
        ("check-jsonschema", "timeoutSecond"),
    ),
    "memory in another unit": (
        CLOUD_RUN,
        "memory: 512Mi",
        "memory: 1 GB",
        ("check-jsonschema", "1 GB"),
    ),
    "misspelled key of a pod": (
        CLOUD_RUN,
        "startupProbe:",
        "startupProb:",
        ("kubernetes-validate", "startupProb"),
    ),
    "misspelled key of a Deployment": (
        INFERENCE,
        "revisionHistoryLimit",
        "revisionHistory",
        ("kubernetes-validate", "revisionHistory"),
    ),
    "overlay without its patch": (
        OVERLAY,
        "models.yaml",
        "model.yaml",
        ("kubectl", "model.yaml"),
    ),
    "Deployment as root": (
        WEB,
        "runAsNonRoot: true",
        "runAsNonRoot: false",
        ("pod-security", "overlays/bundle: Deployment/web: runAsNonRoot"),
    ),
    "Job with capabilities": (
        DATABASE,
        "capabilities: { drop: [ALL] }",
        "capabilities: { drop: [NET_RAW] }",
        ("pod-security", "overlays/bundle: Job/db-setup: container db-setup: capabilities.drop"),
    ),
    "Deployment with privilege escalation": (
        INFERENCE,
        "allowPrivilegeEscalation: false",
        "allowPrivilegeEscalation: true",
        ("pod-security", "overlays/bundle: Deployment/inference: container inference: allowPriv"),
    ),
    "misspelled key of a Swarm service": (
        STACK,
        "stop_grace_period: 30s\n    deploy",
        "stop_grace: 30s\n    deploy",
        ("check-jsonschema", "stop_grace"),
    ),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the output of each tool for copies of the templates with all faults."""
    folder = tmp_path_factory.mktemp("templates")
    shutil.copytree(ROOT / WORKFLOWS, folder / WORKFLOWS)
    shutil.copytree(ROOT / MANIFESTS, folder / MANIFESTS)
    shutil.copy(ROOT / GITLAB, folder / GITLAB)
    for file, text, replacement, _ in FAULTS.values():
        path = folder / file
        content = path.read_text()
        assert text in content, text
        path.write_text(content.replace(text, replacement, 1))
    outputs: dict[str, str] = {}
    for finding in lint(folder):
        outputs[finding.tool] = outputs.get(finding.tool, "") + finding.text
    return outputs


def test_templates_of_the_project_are_clean() -> None:
    assert lint() == []


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(found: dict[str, str], fault: str) -> None:
    tool, words = FAULTS[fault][-1]
    assert words in found.get(tool, "")

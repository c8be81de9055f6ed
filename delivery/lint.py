"""Lint of the templates: `python -m delivery.lint` checks the files of CI and of deploy/.

actionlint and zizmor read the workflows, check-jsonschema the workflows, the pipeline of GitLab,
the stack of Docker Swarm and the service of Cloud Run. kubernetes-validate reads the pods and the
manifests, those of Kubernetes as kubectl builds them from each overlay. Pods of the overlays are
checked by `delivery.pod_security`, too. No tool uses the network.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from delivery.pod_security import check_pod, find_pods
from supply_chain.tools import tools_python

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "delivery" / "schemas" / "knative-service.json"
WORKFLOWS, GITLAB, MANIFESTS = ".github/workflows", ".gitlab-ci.yml", "deploy"
STACK, OVERLAYS = "deploy/stack.yml", "deploy/k8s/overlays"
KNATIVE = "serving.knative.dev/"
# Keys of a revision of Knative that a pod lacks.
REVISION_KEYS = ("containerConcurrency", "timeoutSeconds")
# A line that zizmor cannot check: the version after a pinned commit, for a reader and for updates.
UNVERSIONED_PIN = re.compile(r"uses: [^.\s][^@\s]*@[0-9a-f]{40}(?! # v\d)")


@dataclass(frozen=True)
class Finding:
    """Output of a tool that found a fault."""

    tool: str
    text: str


def lint(root: Path = ROOT) -> list[Finding]:
    """Return what the tools find in the templates of a folder. Raises CalledProcessError."""
    programs = Path(tools_python("deploy")).parent
    workflows = sorted(map(str, (root / WORKFLOWS).glob("*.yml")))
    manifests = sorted((root / MANIFESTS).glob("*.yaml"))
    with tempfile.TemporaryDirectory(prefix="mlops-lint-") as folder:
        commands = [
            ["actionlint", "-shellcheck=", "-pyflakes=", *workflows],
            [
                "zizmor",
                "--offline",
                "--no-progress",
                "--strict-collection",
                "--pedantic",
                *workflows,
            ],
            ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows],
            ["check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(root / GITLAB)],
            ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(root / STACK)],
            *_manifest_commands(manifests, Path(folder)),
        ]
        findings = [
            finding for command in commands if (finding := _run(programs, command)) is not None
        ]
        findings += _overlay_findings(programs, root / OVERLAYS, Path(folder))
    pins = [
        f"{path}: {match[0]} has no comment with its version"
        for path in workflows
        for match in UNVERSIONED_PIN.finditer(Path(path).read_text())
    ]
    return [*findings, *([Finding("pins", "\n".join(pins))] if pins else [])]


def _manifest_commands(manifests: Sequence[Path], folder: Path) -> Iterator[list[str]]:
    """Yield the checks of manifests. The pods of Knative services are written to a folder."""
    for path in manifests:
        documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
        if any(str(document.get("apiVersion")).startswith(KNATIVE) for document in documents):
            yield ["check-jsonschema", "--schemafile", str(SCHEMA), str(path)]
            pod = folder / f"{path.stem}-pod.yaml"
            pod.write_text(yaml.safe_dump_all(map(_pod, documents)))
            yield ["kubernetes-validate", "--strict", str(pod)]
        else:
            yield ["kubernetes-validate", "--strict", str(path)]


def _overlay_findings(programs: Path, overlays: Path, folder: Path) -> Iterator[Finding]:
    """Build each overlay with kubectl, check the result, and yield what was found."""
    for overlay in sorted(path for path in overlays.iterdir() if path.is_dir()):
        built = folder / f"{overlay.name}.yaml"
        command = ["kubectl", "kustomize", str(overlay), "--output", str(built)]
        if (finding := _run(programs, command)) is not None:
            yield finding
            continue
        if (finding := _run(programs, ["kubernetes-validate", "--strict", str(built)])) is not None:
            yield finding
        if violations := _pod_violations(built):
            yield Finding("pod-security", "\n".join(f"{overlay}: {line}" for line in violations))


def _pod_violations(manifest: Path) -> list[str]:
    """Return what the pods of a manifest violate, with the object that has the pod."""
    return [
        f"{document['kind']}/{document['metadata']['name']}: {violation}"
        for document in yaml.safe_load_all(manifest.read_text())
        for pod in find_pods(document)
        for violation in check_pod(pod)
    ]


def _pod(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pod of a Knative service, whose revision has the fields of a pod."""
    spec = (service.get("spec") or {}).get("template", {}).get("spec") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "revision"},
        "spec": {key: value for key, value in spec.items() if key not in REVISION_KEYS},
    }


def _run(programs: Path, command: Sequence[str]) -> Finding | None:
    program, *arguments = command
    result = subprocess.run(
        [str(programs / program), *arguments], capture_output=True, text=True, check=False
    )
    return Finding(program, result.stdout + result.stderr) if result.returncode else None


def main() -> int:
    """Check the templates of the project, print the findings, and return the exit code."""
    findings = lint()
    for finding in findings:
        print(f"{finding.tool}:\n{finding.text.rstrip()}\n")
    print("0 findings in the templates." if not findings else f"{len(findings)} checks failed.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

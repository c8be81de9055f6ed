"""deploy/k8s on a real API server and kubelet: dry-run, rolling updates, a killed replica.

KUBECONFIG names a cluster of one node that uses the images of the Docker engine.
"""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.containers.conftest import (
    BUILD_AND_START_SECONDS,
    DOCKER,
    LONG_PAUSE_SECONDS,
    read_rows,
    wait_until,
)
from tests.containers.images import build_images, remove_images
from tests.containers.traffic import (
    CONNECTIONS,
    EXPERIMENT,
    assert_all_answered,
    assert_stored_once,
    predictions,
)
from tests.support.load import BROKEN, statuses

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(
    not (KUBECTL and os.environ.get("KUBECONFIG")), reason="no kubectl, or KUBECONFIG is not set"
)
REPLICAS = 3
ROLLOUT_SECONDS = 600
NAMES = "jsonpath={.items[*].metadata.name}"
RESTARTS = "jsonpath={.status.containerStatuses[0].restartCount}"
# Kubernetes 1.20 has these under earlier versions, with the same members.
EARLIER = {
    "PodDisruptionBudget": "policy/v1beta1",
    "HorizontalPodAutoscaler": "autoscaling/v2beta2",
}
SERVED = f"""
SELECT 1 FROM model_versions WHERE status = 'READY' AND experiment_name = '{EXPERIMENT}'
"""
DATABASE = """
apiVersion: v1
kind: Pod
metadata: { name: db, labels: { app: db } }
spec:
  enableServiceLinks: false
  containers:
    - name: db
      image: postgres:18
      imagePullPolicy: IfNotPresent
      readinessProbe:
        exec: { command: [pg_isready, -h, 127.0.0.1, -U, postgres, -d, mlopsdb] }
        periodSeconds: 1
      env:
        - { name: POSTGRES_DB, value: mlopsdb }
        - name: POSTGRES_PASSWORD
          valueFrom: { secretKeyRef: { name: mlops, key: postgres_password } }
---
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { type: NodePort, selector: { app: db }, ports: [{ port: 5432 }] }
"""


class Cluster:
    """A namespace with the stack of a copy of the project."""

    def __init__(self, folder: Path) -> None:
        """Build the images, and create the namespace with its secrets and a database."""
        self.folder = folder
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.images = build_images(folder, self.name)
        subprocess.run([sys.executable, "-m", "local.passwords"], cwd=folder, check=True)
        self.key = (folder / "secrets" / "api_key").read_text().strip()
        self.password = (folder / "secrets" / "postgres_password").read_text().strip()
        self.run("create", "namespace", self.name)
        self.run("create", "secret", "generic", "mlops", "--from-file=secrets")
        self.run("create", "configmap", "data-csv", "--from-file=data.csv")
        self.run("apply", "-f", "-", text=DATABASE)

    def call(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl in the namespace and return the finished process."""
        return subprocess.run(
            [str(KUBECTL), "-n", self.name, *arguments],
            cwd=self.folder,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_AND_START_SECONDS,
            check=False,
        )

    def run(self, *arguments: str, text: str = "") -> str:
        """Run kubectl successfully and return its output."""
        result = self.call(*arguments, text=text)
        assert result.returncode == 0, result.stdout[-3000:]
        return result.stdout

    def service(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.run("get", "service", name, "-o", "json"))["spec"])

    def node_port(self, name: str) -> int:
        return int(self.service(name)["ports"][0]["nodePort"])

    def overlay(self, base: str) -> str:
        """Write an overlay for this cluster and return its path.

        The cluster has no DNS: the database is known by its address.
        """
        path = self.folder / "deploy" / "k8s" / "overlays" / f"test-{base}"
        path.mkdir(exist_ok=True)
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"../{base}"],
            "images": [
                {
                    "name": f"registry.example.org/mlops/{name}",
                    "newName": self.images[key],
                    "newTag": "latest",
                }
                for name, key in (
                    ("inference", "INFERENCE"),
                    ("web", "WEB"),
                    ("db-setup", "DB_SETUP"),
                )
            ],
            "configMapGenerator": [
                {
                    "name": "mlops",
                    "behavior": "merge",
                    "literals": [f"PGHOST={self.service('db')['clusterIP']}"],
                }
            ],
            "patches": [
                patch({"kind": kind}, "/apiVersion", version) for kind, version in EARLIER.items()
            ]
            + [patch({"kind": "Service", "name": "inference"}, "/spec/type", "NodePort", "add")],
        }
        (path / "kustomization.yaml").write_text(yaml.safe_dump(content))
        return str(path)

    def wait_for_rollout(self) -> None:
        """Wait for the new pods, and until the pods of the revision before have drained."""
        self.run("rollout", "status", "deployment/inference", f"--timeout={ROLLOUT_SECONDS}s")
        wait_until(lambda: len(self.pods()) == REPLICAS, pause_seconds=LONG_PAUSE_SECONDS)

    def pods(self) -> list[str]:
        """Return the names of the pods of the inference service."""
        return self.run("get", "pods", "-l", "app=inference", "-o", NAMES).split()

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query by the owner role."""
        return read_rows(self.node_port("db"), self.password, query)

    def tear_down(self) -> None:
        """Remove the namespace and the images."""
        self.run("delete", "deployment,job,pod", "--all", "--grace-period=1")
        self.run("delete", "namespace", self.name, "--wait=false")
        remove_images(self.images)


def patch(
    target: dict[str, str], path: str, value: str, operation: str = "replace"
) -> dict[str, Any]:
    """Return a patch of kustomize's that sets one member of the target."""
    return {
        "target": target,
        "patch": json.dumps([{"op": operation, "path": path, "value": value}]),
    }


@pytest.fixture(scope="module")
def cluster(project: Path) -> Iterator[Cluster]:
    cluster = Cluster(project)
    try:
        yield cluster
    finally:
        cluster.tear_down()


@pytest.fixture(scope="module")
def deployed(cluster: Cluster) -> Cluster:
    """Deploy the overlay `bundle`, and wait until all replicas serve and SQL knows them.

    Postgres is ready before: Kubernetes waits longer after each failure of db-setup.
    """
    cluster.run("wait", "--for=condition=Ready", "pod/db", f"--timeout={ROLLOUT_SECONDS}s")
    cluster.run("apply", "-k", cluster.overlay("bundle"))
    cluster.run("wait", "--for=condition=complete", "job/db-setup", f"--timeout={ROLLOUT_SECONDS}s")
    cluster.wait_for_rollout()
    wait_until(lambda: bool(cluster.rows(SERVED)))
    return cluster


@pytest.mark.parametrize("overlay", ["bundle", "registry"])
def test_api_server_accepts_every_object(cluster: Cluster, overlay: str) -> None:
    output = cluster.run("apply", "--dry-run=server", "-k", cluster.overlay(overlay))
    kinds = {line.split("/")[0].split(".")[0] for line in output.splitlines()}
    assert kinds >= {
        "deployment",
        "service",
        "job",
        "horizontalpodautoscaler",
        "poddisruptionbudget",
        "networkpolicy",
        "ingress",
    }
    assert all("dry run" in line for line in output.splitlines() if "/" in line)


def test_rolling_update_fails_no_request(deployed: Cluster) -> None:
    with predictions(deployed.node_port("inference"), deployed.key) as load:
        deployed.run("set", "env", "deployment/inference", "REVISION=2")
        deployed.wait_for_rollout()
    assert_all_answered(load.answers)
    assert_stored_once(deployed.rows, load.answers)


def test_version_that_is_never_ready_gets_no_request(deployed: Cluster) -> None:
    with predictions(deployed.node_port("inference"), deployed.key) as load:
        # The port of the probe is another one.
        deployed.run("set", "env", "deployment/inference", "PORT=9091")
        rollout = deployed.call("rollout", "status", "deployment/inference", "--timeout=15s")
        assert rollout.returncode != 0
        deployed.run("rollout", "undo", "deployment/inference")
        deployed.wait_for_rollout()
    assert_all_answered(load.answers)


def test_killed_container_fails_its_requests_in_flight_only(deployed: Cluster) -> None:
    pod = deployed.pods()[0]
    labels = ("io.kubernetes.container.name=inference", f"io.kubernetes.pod.name={pod}")
    filters = [word for label in labels for word in ("--filter", f"label={label}")]
    containers = subprocess.run(
        [DOCKER, "ps", "-q", *filters], check=True, stdout=subprocess.PIPE, text=True
    )
    [container] = containers.stdout.split()
    with predictions(deployed.node_port("inference"), deployed.key) as load:
        wait_until(lambda: len(load.answers) > CONNECTIONS)
        subprocess.run([DOCKER, "kill", container], check=True)
        wait_until(
            lambda: deployed.run("get", "pod", pod, "-o", RESTARTS) == "1",
            pause_seconds=LONG_PAUSE_SECONDS,
        )
        deployed.wait_for_rollout()
    failed = [answer for answer in load.answers if answer.status != 200]
    assert {answer.status for answer in failed} <= {BROKEN}
    assert len(failed) <= 2 * CONNECTIONS, statuses(load.answers)
    assert_stored_once(deployed.rows, load.answers)

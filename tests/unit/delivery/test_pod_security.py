"""Pod Security: one planted fault for each rule of the level `restricted`."""

import copy
from typing import Any

import pytest

from delivery.pod_security import CONTAINERS, check_pod, find_pods

SAFE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
POD: dict[str, Any] = {
    "metadata": {"name": "p"},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "c", "securityContext": SAFE}],
    },
}
APPARMOR = "container.apparmor.security.beta.kubernetes.io/c"
# Members of the pod's specification, and the words of the violation
POD_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"hostNetwork": True}, "hostNetwork"),
    ({"hostPID": True}, "hostPID"),
    ({"hostIPC": True}, "hostIPC"),
    ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "hostPath"),
    ({"volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]}, "nfs"),
]
# Members of the security context of the pod
POD_CONTEXT_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}, "kernel.msgmax"),
]
# Members of the security context of the pod or of a container
CONTEXT_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"runAsNonRoot": False}, "runAsNonRoot must not be false"),
    ({"runAsUser": 0}, "runAsUser"),
    ({"seccompProfile": {"type": "Unconfined"}}, "seccompProfile.type"),
    ({"appArmorProfile": {"type": "Unconfined"}}, "appArmorProfile.type"),
    ({"seLinuxOptions": {"type": "spc_t"}}, "seLinuxOptions.type must not be spc_t"),
    ({"seLinuxOptions": {"user": "system_u"}}, "seLinuxOptions.user"),
    ({"seLinuxOptions": {"role": "system_r"}}, "seLinuxOptions.role"),
    ({"windowsOptions": {"hostProcess": True}}, "hostProcess"),
]
# Members of the security context of a container
CONTAINER_CONTEXT_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"privileged": True}, "privileged"),
    ({"allowPrivilegeEscalation": True}, "allowPrivilegeEscalation"),
    ({"allowPrivilegeEscalation": None}, "allowPrivilegeEscalation"),
    ({"capabilities": {"drop": ["NET_RAW"]}}, "capabilities.drop"),
    ({"capabilities": None}, "capabilities.drop"),
    ({"capabilities": {"drop": ["ALL"], "add": ["SYS_TIME"]}}, "capabilities.add"),
    ({"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}, "capabilities.add"),
    ({"procMount": "Unmasked"}, "procMount"),
]
# Members of a container
CONTAINER_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"ports": [{"containerPort": 80, "hostPort": 80}]}, "hostPort"),
    *(
        ({probe: {action: {"host": "10.0.0.1", "port": 80}}}, "10.0.0.1")
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        for action in ("httpGet", "tcpSocket")
    ),
    *(
        ({"lifecycle": {hook: {"httpGet": {"host": "10.0.0.1", "port": 80}}}}, "10.0.0.1")
        for hook in ("postStart", "preStop")
    ),
]


def make_pod(kind: str = "containers") -> dict[str, Any]:
    """Return a pod without violations whose last container is of a kind."""
    pod = copy.deepcopy(POD)
    if kind != "containers":
        pod["spec"][kind] = [{"name": "other", "securityContext": copy.deepcopy(SAFE)}]
    return pod


def expect(pod: dict[str, Any], words: str) -> None:
    [violation] = check_pod(pod)
    assert words in violation


@pytest.mark.parametrize("kind", CONTAINERS)
def test_restricted_pod_has_no_violations(kind: str) -> None:
    assert check_pod(make_pod(kind)) == []


def test_everything_that_the_level_allows_is_accepted() -> None:
    pod = make_pod()
    spec, context = pod["spec"], pod["spec"]["securityContext"]
    pod["metadata"]["annotations"] = {APPARMOR: "localhost/mine", "other": "unconfined"}
    spec["volumes"] = [
        {"name": name, name: {}} for name in ("configMap", "emptyDir", "secret", "projected", "csi")
    ]
    context |= {
        "sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "4096"}],
        "seLinuxOptions": {"type": "container_t", "level": "s0:c1,c2"},
        "appArmorProfile": {"type": "Localhost", "localhostProfile": "mine"},
        "runAsUser": 10001,
    }
    spec["containers"][0] |= {
        "ports": [{"containerPort": 80, "hostPort": 0}],
        "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
    }
    spec["containers"][0]["securityContext"] |= {
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "procMount": "Default",
    }
    assert check_pod(pod) == []


def test_container_may_set_what_the_pod_leaves_out() -> None:
    pod = make_pod()
    pod["spec"]["containers"][0]["securityContext"] |= pod["spec"].pop("securityContext")
    assert check_pod(pod) == []


@pytest.mark.parametrize(("members", "words"), POD_FAULTS)
def test_fault_of_a_pod_is_found(members: dict[str, Any], words: str) -> None:
    pod = make_pod()
    pod["spec"] |= members
    expect(pod, words)


@pytest.mark.parametrize(("members", "words"), [*POD_CONTEXT_FAULTS, *CONTEXT_FAULTS])
def test_fault_in_the_context_of_a_pod_is_found(members: dict[str, Any], words: str) -> None:
    pod = make_pod()
    pod["spec"]["securityContext"] |= members
    assert any(words in violation for violation in check_pod(pod))


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize(("members", "words"), [*CONTEXT_FAULTS, *CONTAINER_CONTEXT_FAULTS])
def test_fault_in_the_context_of_a_container_is_found(
    kind: str, members: dict[str, Any], words: str
) -> None:
    pod = make_pod(kind)
    pod["spec"][kind][0]["securityContext"] |= members
    expect(pod, words)


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize(("members", "words"), CONTAINER_FAULTS)
def test_fault_of_a_container_is_found(kind: str, members: dict[str, Any], words: str) -> None:
    pod = make_pod(kind)
    pod["spec"][kind][0] |= members
    expect(pod, words)


@pytest.mark.parametrize("name", ["runAsNonRoot", "seccompProfile"])
def test_field_that_neither_pod_nor_container_sets_is_found(name: str) -> None:
    pod = make_pod()
    del pod["spec"]["securityContext"][name]
    expect(pod, f"{name} must be")


def test_annotation_of_apparmor_is_found() -> None:
    pod = make_pod()
    pod["metadata"]["annotations"] = {APPARMOR: "unconfined"}
    expect(pod, APPARMOR)


@pytest.mark.parametrize(
    "manifest",
    [
        POD,
        {"kind": "Deployment", "spec": {"selector": {}, "template": POD}},
        {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": POD}}}},
        {"kind": "List", "items": [{"kind": "PodTemplate", "template": POD}]},
    ],
)
def test_find_pods_finds_the_pod_at_any_depth(manifest: dict[str, Any]) -> None:
    assert list(find_pods(manifest)) == [POD]


def test_find_pods_of_another_kind_finds_none() -> None:
    assert list(find_pods({"kind": "Service", "spec": {"ports": [{"port": 80}]}})) == []

"""Pod Security: checks the pods of manifests against the level `restricted`.

The rules are those of the Pod Security Standards of Kubernetes 1.37, with those of the level
`baseline`: https://kubernetes.io/docs/concepts/security/pod-security-standards. The admission
controller relaxes some for Windows and for user namespaces (hostUsers); this check does not.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]

HOST_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
PROBES, HOOKS = ("livenessProbe", "readinessProbe", "startupProbe"), ("postStart", "preStop")
VOLUME_TYPES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
SELINUX_TYPES = {
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
}
PROFILES = ("RuntimeDefault", "Localhost")
# Before Kubernetes 1.30, AppArmor's profile of a container was an annotation of the pod.
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def find_pods(node: object) -> Iterator[Document]:
    """Yield the pods of a manifest: itself, or the templates in it at any depth."""
    if isinstance(node, list):
        for item in node:
            yield from find_pods(item)
    elif isinstance(node, Mapping):
        spec = node.get("spec")
        if isinstance(spec, Mapping) and "containers" in spec:
            yield node
            return
        for value in node.values():
            yield from find_pods(value)


def check_pod(pod: Document) -> list[str]:
    """Return the violations of a pod, or of a template. Its fields have the types of the API."""
    spec = pod["spec"]
    context = _get(spec, "securityContext")
    found = [f"{field} must not be true" for field in HOST_NAMESPACES if spec.get(field)]
    for volume in spec.get("volumes") or ():
        found += [
            f"volume {volume['name']}: the type {source} is not allowed"
            for source in sorted(volume.keys() - {"name"} - VOLUME_TYPES)
        ]
    found += [
        f"the sysctl {sysctl['name']} is not allowed"
        for sysctl in context.get("sysctls") or ()
        if sysctl["name"] not in SYSCTLS
    ]
    found += [
        f"annotation {key}: must be runtime/default or localhost/..."
        for key, value in _get(pod, "metadata", "annotations").items()
        if key.startswith(APPARMOR)
        and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    ]
    found += _check_context(context)
    for kind in CONTAINERS:
        for container in spec.get(kind) or ():
            violations = _check_container(container, context)
            found += [f"container {container['name']}: {text}" for text in violations]
    return found


def _check_context(context: Document) -> Iterator[str]:
    """Check the fields that both a pod and a container may set."""
    if context.get("runAsNonRoot") is False:
        yield "runAsNonRoot must not be false"
    if context.get("runAsUser") == 0:
        yield "runAsUser must not be 0"
    for name in ("seccompProfile", "appArmorProfile"):
        if context.get(name) and context[name].get("type") not in PROFILES:
            yield f"{name}.type must be RuntimeDefault or Localhost"
    options = _get(context, "seLinuxOptions")
    if options.get("type", "") not in SELINUX_TYPES:
        yield f"seLinuxOptions.type must not be {options['type']}"
    for name in ("user", "role"):
        if options.get(name):
            yield f"seLinuxOptions.{name} must not be set"
    if _get(context, "windowsOptions").get("hostProcess"):
        yield "windowsOptions.hostProcess must not be true"


def _check_container(container: Document, pod_context: Document) -> Iterator[str]:
    context = _get(container, "securityContext")
    yield from _check_context(context)
    for name, wanted in (("runAsNonRoot", "true"), ("seccompProfile", "RuntimeDefault")):
        if not context.get(name) and not pod_context.get(name):
            yield f"{name} must be {wanted}, here or in the pod"
    if context.get("privileged"):
        yield "privileged must not be true"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation must be false"
    capabilities = _get(context, "capabilities")
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "capabilities.drop must have ALL"
    if set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
        yield "capabilities.add must have NET_BIND_SERVICE at most"
    if context.get("procMount") not in (None, "Default"):
        yield "procMount must be Default"
    for port in container.get("ports") or ():
        if port.get("hostPort"):
            yield f"hostPort must not be set, and is {port['hostPort']}"
    hooks = _get(container, "lifecycle")
    actions = [_get(container, name) for name in PROBES] + [_get(hooks, name) for name in HOOKS]
    for action in actions:
        for kind in ("httpGet", "tcpSocket"):
            if host := _get(action, kind).get("host"):
                yield f"the host of a probe or hook must not be set, and is {host}"


def _get(document: Document, *names: str) -> Document:
    """Return a member that is a mapping, empty if it or its parent is missing."""
    for name in names:
        document = document.get(name) or {}
    return document

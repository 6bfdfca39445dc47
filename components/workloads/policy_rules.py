"""The production baseline as rules that any workload can be held against, whoever wrote it.

A component that breaks one declares it (:class:`components.component.Deviation`) with its reason; everything else is a
defect, found when the stack is rendered and not when it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.model.images import exact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kube.kinds import Manifest

RUNS_PODS = {"Deployment", "StatefulSet", "DaemonSet", "Job", "GrayRelease"}
STANDARD_LABELS = ("name", "instance", "part-of", "managed-by", "version")


def pod_template_of(manifest: Manifest) -> Manifest | None:
    """The pod template inside a workload (a GrayRelease included); None for anything that runs no pods."""
    if manifest["kind"] not in RUNS_PODS:
        return None
    spec = manifest["spec"]
    template = spec["workload"]["template"] if manifest["kind"] == "GrayRelease" else spec["template"]
    return dict(template)


def broken_rules(manifest: Manifest) -> list[tuple[str, str]]:
    """``(rule, what was found)`` for each rule that a workload breaks; empty for objects that run no pods."""
    template = pod_template_of(manifest)
    if template is None:
        return []
    long_running = manifest["kind"] != "Job"
    found = [(rule, said) for rule, check in _RULES.items() for said in check(template)]
    return [(rule, said) for rule, said in found if long_running or rule not in _FOR_SERVERS]


def _containers(template: Manifest, *, init: bool = True) -> Iterator[dict[str, Any]]:
    spec = template["spec"]
    yield from spec["containers"]
    if init:
        yield from spec.get("initContainers", ())


def _restricted(template: Manifest) -> Iterator[str]:
    pod = template["spec"].get("securityContext", {})
    if not pod.get("runAsNonRoot"):
        yield "the pod may run as root"
    if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "no seccomp profile"
    for container in _containers(template):
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{container['name']} may gain privileges"
        if context.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{container['name']} keeps capabilities"


def _read_only_root(template: Manifest) -> Iterator[str]:
    for container in _containers(template):
        if not container.get("securityContext", {}).get("readOnlyRootFilesystem"):
            yield f"{container['name']} may write to its root file system"


def _probes(template: Manifest) -> Iterator[str]:
    for container in _containers(template, init=False):
        missing = [probe for probe in ("livenessProbe", "readinessProbe") if probe not in container]
        if missing:
            yield f"{container['name']} has no {' and no '.join(missing)}"


def _drain(template: Manifest) -> Iterator[str]:
    if not any(container.get("lifecycle", {}).get("preStop") for container in _containers(template, init=False)):
        yield "no container drains before it stops"
    if template["spec"].get("terminationGracePeriodSeconds", 0) <= 0:
        yield "no termination grace period"


def _resources(template: Manifest) -> Iterator[str]:
    for container in _containers(template):
        given = container.get("resources", {})
        requests, limits = given.get("requests", {}), given.get("limits", {})
        if not requests.get("cpu") or not requests.get("memory") or limits.get("memory") != requests.get("memory"):
            yield f"{container['name']} needs requests for CPU and memory, and a memory limit equal to its request"


def _spread(template: Manifest) -> Iterator[str]:
    if not template["spec"].get("affinity", {}).get("podAntiAffinity"):
        yield "pods are not kept on different hosts"
    if not template["spec"].get("topologySpreadConstraints"):
        yield "pods are not spread over zones"


def _image(template: Manifest) -> Iterator[str]:
    for container in _containers(template):
        try:
            exact(container["image"])
        except ValueError as error:
            yield f"{container['name']}: {error}"


def _account(template: Manifest) -> Iterator[str]:
    if template["spec"].get("serviceAccountName", "default") == "default":
        yield "runs as the namespace's default service account"


def _token(template: Manifest) -> Iterator[str]:
    if template["spec"].get("automountServiceAccountToken") is not False:
        yield "carries a service account token"


def _labels(template: Manifest) -> Iterator[str]:
    labels = template["metadata"].get("labels", {})
    missing = [name for name in STANDARD_LABELS if f"app.kubernetes.io/{name}" not in labels]
    if missing:
        yield f"labels app.kubernetes.io/{{{','.join(missing)}}} are missing"


_RULES: dict[str, Callable[[Manifest], Iterator[str]]] = {
    "restricted": _restricted,
    "read-only-root": _read_only_root,
    "probes": _probes,
    "drain": _drain,
    "resources": _resources,
    "spread": _spread,
    "image": _image,
    "account": _account,
    "token": _token,
    "labels": _labels,
}
_FOR_SERVERS = {"probes", "drain", "spread"}
RULES = tuple(_RULES)

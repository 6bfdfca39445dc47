"""When an object that was applied is ready, and what to tell somebody who waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.kinds import Manifest

WAITED_FOR = {
    "Deployment", "StatefulSet", "DaemonSet", "Job", "Gateway", "CustomResourceDefinition", "PersistentVolumeClaim",
    "Topology", "Kafka", "KafkaUser", "RabbitmqCluster",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Readiness:
    """``ready``, and a reason in a few words; ``failed`` when waiting longer cannot help."""

    ready: bool
    reason: str = ""
    failed: bool = False


READY = Readiness(ready=True)


def readiness(live: Manifest) -> Readiness:
    """How far an object is. Kinds that nothing is known of are ready as soon as they exist."""
    check = _CHECKS.get(live["kind"])
    if check is None:
        return READY
    observed = (live.get("status") or {}).get("observedGeneration")
    if observed is not None and observed < live["metadata"].get("generation", 0):
        return Readiness(ready=False, reason=f"not looked at yet{_shut_out(live)}")
    return check(live.get("spec") or {}, live.get("status") or {})


def _deployment(spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    wanted = spec.get("replicas", 1)
    progressing = _condition(status, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        said = str(progressing.get("message") or "progress deadline exceeded")
        return Readiness(ready=False, reason=said, failed=True)
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    done = "observedGeneration" in status and updated == wanted == available and status.get("replicas", 0) == wanted
    return READY if done else Readiness(ready=False, reason=f"{min(updated, available)} of {wanted} pods ready")


def _stateful_set(spec: dict[str, Any], status: dict[str, Any]) -> Readiness:
    wanted = spec.get("replicas", 1)
    available = status.get("availableReplicas", 0)
    # Of pods that it found and adopted, the revisions alone say nothing: both are its own from the beginning.
    current = status.get("updatedReplicas", 0) == wanted
    done = "observedGeneration" in status and available == wanted and current
    return READY if done else Readiness(ready=False, reason=f"{available} of {wanted} pods ready")


def _daemon_set(_: dict[str, Any], status: dict[str, Any]) -> Readiness:
    wanted = status.get("desiredNumberScheduled", 0)
    available, updated = status.get("numberAvailable", 0), status.get("updatedNumberScheduled", 0)
    done = "observedGeneration" in status and available >= wanted and updated >= wanted
    return READY if done else Readiness(ready=False, reason=f"{available} of {wanted} pods ready")


def _job(_: dict[str, Any], status: dict[str, Any]) -> Readiness:
    if _condition(status, "Complete").get("status") == "True":
        return READY
    failed = _condition(status, "Failed")
    if failed.get("status") == "True":
        return Readiness(ready=False, reason=str(failed.get("message") or "failed"), failed=True)
    return Readiness(ready=False, reason="running")


def _gateway(_: dict[str, Any], status: dict[str, Any]) -> Readiness:
    for name in ("Accepted", "Programmed"):
        condition = _condition(status, name)
        if condition.get("status") != "True":
            said = condition.get("message") or "no controller has answered yet"
            return Readiness(ready=False, reason=f"not {name}: {said}")
    return READY


def _definition(_: dict[str, Any], status: dict[str, Any]) -> Readiness:
    if _condition(status, "Established").get("status") == "True":
        return READY
    names = _condition(status, "NamesAccepted")
    conflict = names.get("status") == "False" and names.get("reason") != "NotAccepted"
    return Readiness(ready=False, reason=str(names.get("message", "not established")), failed=conflict)


def _claim(_: dict[str, Any], status: dict[str, Any]) -> Readiness:
    phase = status.get("phase", "Pending")
    return READY if phase == "Bound" else Readiness(ready=False, reason=f"volume {phase}", failed=phase == "Lost")


def _shut_out(live: Manifest) -> str:
    """Why the reconciler of a topology cannot look at its system, whatever the generation."""
    found = _condition(live.get("status") or {}, "Ready") if live["kind"] == "Topology" else {}
    shut_out = found.get("reason") in {"Unauthorized", "Unreachable"}
    return f": {found['reason']}: {found.get('message')}" if shut_out else ""


def _topology(_: dict[str, Any], status: dict[str, Any]) -> Readiness:
    """Of the generation that is there; what is refused stays so until somebody writes something else."""
    found = _condition(status, "Ready")
    if "observedGeneration" not in status or not found:
        return Readiness(ready=False, reason=str(found.get("message") or "not looked at yet"))
    if found.get("status") == "True":
        return READY
    told = f"{found.get('reason')}: {found.get('message')}"
    return Readiness(ready=False, reason=told, failed=found.get("reason") in {"Refused", "Invalid"})


def _operated(_: dict[str, Any], status: dict[str, Any]) -> Readiness:
    """Objects of Strimzi: its operator says when they are there."""
    if _condition(status, "Ready").get("status") == "True" and "observedGeneration" in status:
        return READY
    said = _condition(status, "NotReady").get("message")
    return Readiness(ready=False, reason=str(said or "no operator has said that it is ready"))


def _rabbitmq(_: dict[str, Any], status: dict[str, Any]) -> Readiness:
    """By the conditions that RabbitMQ's operator writes; without it nobody does."""
    found = _condition(status, "AllReplicasReady")
    if found.get("status") == "True":
        return READY
    told = found.get("message") or "no operator has looked at it yet"
    return Readiness(ready=False, reason=str(told))


_CHECKS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Readiness]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "Gateway": _gateway,
    "CustomResourceDefinition": _definition,
    "PersistentVolumeClaim": _claim,
    "Topology": _topology,
    "Kafka": _operated,
    "KafkaUser": _operated,
    "RabbitmqCluster": _rabbitmq,
}


def _condition(status: dict[str, Any], name: str) -> dict[str, Any]:
    found = (condition for condition in status.get("conditions") or () if condition.get("type") == name)
    return dict(next(found, {}))


def pod_trouble(pod: Manifest) -> str:
    """Why a pod is not ready, in the kubelet's or the scheduler's words; empty while it is merely starting."""
    status = pod.get("status") or {}
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return str(scheduled.get("message", "not scheduled"))
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for container in statuses:
        if found := _container_trouble(container):
            return found
    return ""


_STARTING = {"ContainerCreating", "PodInitializing"}


def _container_trouble(container: dict[str, Any]) -> str:
    name, state = container["name"], container.get("state") or {}
    waiting = state.get("waiting") or {}
    last = (container.get("lastState") or {}).get("terminated") or state.get("terminated") or {}
    exited = f"exited with {last['exitCode']} ({last.get('reason', '')})" if last.get("exitCode") else ""
    if waiting and waiting.get("reason") not in _STARTING:
        detail = exited or str(waiting.get("message") or "")
        return f"container {name}: {waiting.get('reason')}" + (f": {detail}" if detail else "")
    if exited:
        return f"container {name} {exited}"
    if state.get("running") and not container.get("ready") and container.get("restartCount", 0) == 0:
        return f"container {name} runs and is not ready"
    return ""

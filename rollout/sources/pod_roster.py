"""Who is looked at: the pods of the stable and of the canary revision, as the cache has them.

Kubernetes writes a pod's life over a dozen fields; sources need a handful of plain ones. They are drawn out here, once
a pass, so that no source reads a pod object itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rollout.api.revision import REVISION_LABEL
from rollout.signals.looks import Arm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kube.kinds import Manifest


@dataclass(frozen=True, slots=True)
class PodInfo:
    """One pod.

    Attributes:
        name: of the pod.
        revision: that it runs.
        arm: stable or canary.
        ip: empty while it has none.
        started_at: when the kubelet took it on; seconds since the epoch.
        ready_at: since when it is ready; None while it is not.
        ready: it is ready and takes traffic.
        terminating: somebody deleted it; what it does from now on is asked for.
        running: its containers were started.
        failed: why the pod as a whole ended (`Evicted`, `NodeShutdown`, …); empty while it did not.
        ports: container ports by name.
        deaths: ends of its containers so far; never falls.
        oom_killed: whether the newest end of a container was the kernel's doing.
        uid: tells it from a later pod of the same name.
        disrupted: it goes, or went, because of a planned event (an eviction, a drain), which is nobody's fault.
        node: that it runs on; empty while it has none.
        zone: of that node; empty where nobody knows.
    """

    name: str
    revision: str
    arm: Arm
    ip: str
    started_at: float
    ready_at: float | None = None
    ready: bool = True
    terminating: bool = False
    running: bool = True
    failed: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    deaths: int = 0
    oom_killed: bool = False
    uid: str = ""
    disrupted: bool = False
    node: str = ""
    zone: str = ""

    def port(self, wanted: str | int) -> int | None:
        """The number of a port, given by name or number; None where the pod declares no such name."""
        if isinstance(wanted, int) or wanted.isdecimal():
            return int(wanted)
        return self.ports.get(wanted)

    def age(self, now: float) -> float:
        """Seconds since it became ready, or since it started while it is not ready."""
        return max(0.0, now - (self.started_at if self.ready_at is None else self.ready_at))


@dataclass(frozen=True, slots=True)
class Roster:
    """The pods of one release; a revision's name is empty where there is none."""

    namespace: str
    stable: str
    canary: str
    pods: tuple[PodInfo, ...] = ()

    def arm_of(self, revision: str) -> Arm | None:
        """Which arm a revision is; None for any other revision."""
        if not revision or revision not in {self.stable, self.canary}:
            return None
        return Arm.CANARY if revision == self.canary else Arm.STABLE


def roster_of(
    pods: Iterable[Manifest],
    *,
    namespace: str,
    stable: str,
    canary: str,
    zone: Callable[[str], str] = lambda _node: "",
) -> Roster:
    """The pods that carry the label of one of the two revisions; all others are left out.

    ``zone`` tells a node's by its name, empty where it is not known.
    """
    empty = Roster(namespace, stable, canary)
    found = []
    for pod in pods:
        meta = pod["metadata"]
        revision = (meta.get("labels") or {}).get(REVISION_LABEL, "")
        arm = empty.arm_of(revision)
        if arm is not None and meta.get("namespace", namespace) == namespace:
            found.append(_info(pod, revision, arm, zone))
    return Roster(namespace, stable, canary, tuple(found))


def _info(pod: Manifest, revision: str, arm: Arm, zone: Callable[[str], str]) -> PodInfo:
    node = str((pod.get("spec") or {}).get("nodeName") or "")
    meta, status = pod["metadata"], pod.get("status") or {}
    terminating, phase = bool(meta.get("deletionTimestamp")), status.get("phase")
    ready_at = ready_since(pod)
    return PodInfo(
        name=meta["name"],
        revision=revision,
        arm=arm,
        ip=status.get("podIP", ""),
        started_at=started_at(pod),
        ready_at=ready_at,
        ready=ready_at is not None and not terminating,
        terminating=terminating,
        running=phase == "Running",
        failed=(status.get("reason") or "Failed") if phase == "Failed" else "",
        ports=_ports(pod),
        deaths=sum(_deaths(each) for each in lasting_containers(pod)),
        oom_killed=any(newest_end(each).get("reason") == "OOMKilled" for each in lasting_containers(pod)),
        uid=meta.get("uid", ""),
        disrupted=is_disrupted(pod),
        node=node,
        zone=zone(node) if node else "",
    )


# ---------------------------------------------------------------------- reading pod objects


def seconds_since_epoch(text: str | None) -> float | None:
    """The moment an RFC 3339 time stamp names; None where there is none."""
    return datetime.fromisoformat(text).timestamp() if text else None


def started_at(pod: Manifest) -> float:
    """When the kubelet took the pod on, or when it was created; 0 where neither is written."""
    stamp = (pod.get("status") or {}).get("startTime") or pod["metadata"].get("creationTimestamp")
    return seconds_since_epoch(stamp) or 0.0


def ready_since(pod: Manifest) -> float | None:
    """When the pod became ready; None while it is not."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready" and condition["status"] == "True":
            return seconds_since_epoch(condition.get("lastTransitionTime")) or started_at(pod)
    return None


def lasting_containers(pod: Manifest) -> Iterator[Manifest]:
    """Statuses of the containers that are meant to run on: the ordinary ones and restartable init containers."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    yield from status.get("containerStatuses") or ()
    sidecars = {each["name"] for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"}
    yield from (each for each in status.get("initContainerStatuses") or () if each["name"] in sidecars)


_PLANNED = {"Evicted", "NodeShutdown", "NodeAffinity", "Terminated", "Preempting", "Shutdown"}
_OWN_LIMIT = ("exceeds the limit", "exceeded its local ephemeral storage limit", "usage exceeds the total limit")


def is_disrupted(pod: Manifest) -> bool:
    """Whether a pod is going, or gone, because of a planned event: an eviction, a drain, a node that shuts down.

    One that is thrown out because it went over a limit of its own is not.
    """
    status = pod.get("status") or {}
    if any(sign in str(status.get("message", "")) for sign in _OWN_LIMIT):
        return False
    conditions = status.get("conditions") or ()
    if any(each.get("type") == "DisruptionTarget" and each.get("status") == "True" for each in conditions):
        return True
    return status.get("phase") == "Failed" and status.get("reason") in _PLANNED


def newest_end(container: Manifest) -> dict[str, Any]:
    """How the container last ended (`exitCode`, `reason`, `finishedAt`, …); empty where it never did."""
    for state in ("state", "lastState"):
        if ended := (container.get(state) or {}).get("terminated"):
            return dict(ended)
    return {}


def _deaths(container: Manifest) -> int:
    """Restarts, and one more where the container lies dead and was not started again yet."""
    state = container.get("state") or {}
    waits = (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff"
    return int(container.get("restartCount", 0)) + bool(waits or state.get("terminated"))


def _ports(pod: Manifest) -> dict[str, int]:
    containers = (pod.get("spec") or {}).get("containers") or ()
    return {
        port["name"]: int(port["containerPort"])
        for container in containers
        for port in container.get("ports") or ()
        if port.get("name")
    }

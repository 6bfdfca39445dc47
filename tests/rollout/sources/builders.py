"""Pods as the API server writes them, and rosters of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rollout.api.spec import Signal
from rollout.api.status import timestamp
from rollout.signals.looks import Arm
from rollout.sources.pod_roster import PodInfo, Roster, roster_of

HERE = Path(__file__).parent
T = 1_800_000_000.0
STABLE, CANARY = "checkout-11111111", "checkout-22222222"


def stamp(seconds: float) -> str:
    return timestamp(seconds).split(".")[0] + "Z"


def container(name="app", *, restarts=0, ready=True, state=None, last=None) -> dict[str, Any]:
    return {
        "name": name,
        "image": "shop/checkout:v2",
        "restartCount": restarts,
        "ready": ready,
        "state": state if state is not None else {"running": {"startedAt": stamp(T)}},
        "lastState": last or {},
    }


def pod(
    name="checkout-22222222-a",
    revision=CANARY,
    *,
    ip="10.0.0.2",
    started=T - 1000,
    ready=True,
    phase="Running",
    containers=None,
    reason="",
    message="",
    labels=None,
    namespace="shop",
    deleted=False,
    conditions=(),
    init=(),
    limits=None,
) -> dict[str, Any]:
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": stamp(started + 1)}
    spec_container: dict[str, Any] = {
        "name": "app",
        "ports": [{"name": "metrics", "containerPort": 9000}, {"containerPort": 8080}],
    }
    if limits:
        spec_container["resources"] = {"limits": limits}
    made: dict[str, Any] = {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "creationTimestamp": stamp(started),
            "labels": labels or {"grayling.dev/revision": revision, "grayling.dev/release": "checkout"},
        },
        "spec": {"containers": [spec_container], "initContainers": [{"name": each["name"]} for each in init]},
        "status": {
            "phase": phase,
            "podIP": ip,
            "startTime": stamp(started),
            "reason": reason,
            "message": message,
            "conditions": [condition, *conditions],
            "containerStatuses": [container(ready=ready)] if containers is None else containers,
            "initContainerStatuses": list(init),
        },
    }
    if deleted:
        made["metadata"]["deletionTimestamp"] = stamp(T)
    return made


def info(name="checkout-22222222-a", arm=Arm.CANARY, *, ip="10.0.0.2", started=T - 1000, **rest: Any) -> PodInfo:
    revision = CANARY if arm is Arm.CANARY else STABLE
    known: dict[str, Any] = {"ports": {"metrics": 9000}, "ready_at": started, "uid": f"uid-{name}"} | rest
    return PodInfo(name, revision, arm, ip, started, **known)


def roster(*pods: PodInfo, stable: str = STABLE, canary: str = CANARY) -> Roster:
    return Roster("shop", stable, canary, pods)


def pair(**rest: Any) -> Roster:
    """One ready pod per arm: `s` and `c`."""
    return roster(info("s", Arm.STABLE, ip="10.0.0.1", **rest), info("c", Arm.CANARY, ip="10.0.0.2", **rest))


def rostered(*pods: dict[str, Any]) -> Roster:
    return roster_of(pods, namespace="shop", stable=STABLE, canary=CANARY)


def signal(kind="errors", source="pods", name="", **rest: Any) -> Signal:
    return Signal.model_validate({"name": name or kind, "kind": kind, "source": source, **rest})

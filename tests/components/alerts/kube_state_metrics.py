from __future__ import annotations

from tests.components.alerts.model import Fault, fills, of, owner, up

MODES = [{}]
COMPONENT = {}
NAME = "kube-state-metrics"
QUOTA, PHASE = "kube_resourcequota", "kube_pod_status_phase"
ROOM, PROTECTED = (f"kube_poddisruptionbudget_status_{what}" for what in ("pod_disruptions_allowed", "expected_pods"))
CONDITION = "kube_deployment_status_condition"
CPU = {"resourcequota": "team", "resource": "requests.cpu"}
NONE = {"resourcequota": "team", "resource": "services.loadbalancers"}
SHOP = {"exported_pod": "shop-1"}
IN_SHOP = {**SHOP, "exported_container": "shop"}
STORE = {"poddisruptionbudget": "store"}
IDLE = {"poddisruptionbudget": "idle"}


def told(metric, values="1+0", **labels):
    return of(NAME, metric, values, **labels)


def begins(metric, **labels):
    """A series that comes with the fault."""
    return {told(metric, **labels)[0].removesuffix("}"): "1+0"}


def condition(deployment, what, status="true"):
    return {"deployment": deployment, "condition": what, "status": status}


def waits(reason, init="", **labels):
    return begins(f"kube_pod{init}_container_status_waiting_reason", **(labels or IN_SHOP), reason=reason)


# What is as it should be and near to a fault: a quota of nothing, a budget of no pods, a pod whose turn has not come.
WELL = dict(
    [
        up(NAME),
        told(QUOTA, "8+0", **CPU, type="hard"),
        told(QUOTA, "4+0", **CPU, type="used"),
        told(QUOTA, "0+0", **NONE, type="hard"),
        told(QUOTA, "0+0", **NONE, type="used"),
        told(PHASE, "1+0", **SHOP, phase="Running"),
        told(CONDITION, "1+0", **condition("shop", "Available")),
        told(CONDITION, "0+0", **condition("shop", "Available", "false")),
        told(ROOM, "1+0", **STORE),
        told(PROTECTED, "2+0", **STORE),
        told(ROOM, "0+0", **IDLE),
        told(PROTECTED, "0+0", **IDLE),
        told("kube_job_failed", "0+0", job_name="realm", condition="false"),
        told("kube_pod_container_status_waiting_reason", **IN_SHOP, reason="PodInitializing"),
    ]
)
CASES = {
    "KubeStateMetricsDown": [
        Fault({f'up{{namespace="shop",instance_name="{NAME}"': None}, owner(NAME)),
        Fault({f'up{{namespace="shop",instance_name="{NAME}"': "0+0"}),
    ],
    "KubeStateMetricsBlind": [Fault({each: None}, owner(NAME)) for each in (PHASE, CONDITION, PROTECTED)],
    "QuotaFull": [
        Fault({told(QUOTA, **CPU, type="used")[0]: "7.8+0"}, CPU),
        Fault({told(QUOTA, **CPU, type="hard")[0]: "4+0"}, CPU),
    ],
    "QuotaFills": [fills(NAME, "quota", {told(QUOTA, **CPU, type="used")[0]: "4+0.01"})],
    "PodsRefused": [
        Fault(begins(CONDITION, **condition("shop", "ReplicaFailure")), {"deployment": "shop"}),
    ],
    "PodNotScheduled": [Fault(begins("kube_pod_status_unschedulable", **SHOP), SHOP)],
    "ContainerNotStarted": [
        Fault(waits("ImagePullBackOff"), IN_SHOP),
        Fault(waits("CreateContainerConfigError", init="_init"), IN_SHOP),
        Fault(dict.fromkeys(waits("CrashLoopBackOff"), "1x1 stale _x7 " * 12 + "_"), IN_SHOP),
    ],
    "JobFailed": [Fault(begins("kube_job_failed", job_name="realm", condition="true"), {"job_name": "realm"})],
    "DisruptionWithoutRoom": [Fault({told(ROOM, **STORE)[0]: "0+0"}, STORE, half=180)],
}

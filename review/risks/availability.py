"""What keeps a service up: that it is there, that not all of it is moved at once, that its pods are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review.model.change import Op
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds
from review.risks.scene import watches_only
from review.risks.shapes import Json, amount, listed, mapping, maps, number, said, text
from review.risks.stores import loss_of
from review.risks.templates import POD_MAKERS, RUN_FOR_EVER, Uses, changed, in_container, in_pod, pods, template_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_SERVING = RUN_FOR_EVER | {
    "Service",
    "Gateway",
    "HTTPRoute",
    "GRPCRoute",
    "TLSRoute",
    "TCPRoute",
    "Ingress",
    "GatewayClass",
}
_MILD = frozenset({"ConfigMap", "Role", "RoleBinding", "ServiceAccount", "Job", "Event", "Lease", "Endpoints"})
_LOOKED_AT = frozenset(
    {
        *("NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Secret", "CustomResourceDefinition"),
        *("PriorityClass", "ResourceQuota", "PrometheusRule", "ServiceMonitor", "PodMonitor", "Approval"),
        *("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService", "ClusterPolicy"),
        *("ConstraintTemplate", "ClusterImagePolicy", "ExternalSecret", "SealedSecret", "Certificate"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    }
)
"""Kinds whose deletion has a rule of its own."""

_BUDGET = kinds("PodDisruptionBudget")
_ALL = 100.0


def _gone(change: Change, scene: Scene) -> Iterator[Finding]:
    if Op.DELETE not in change.ops or change.ref.kind not in _SERVING or loss_of(change, scene.changes):
        return
    if change.ref.kind == "Service" and (scene.pods_go_too(change) or change.ref.namespace in scene.namespaces_gone):
        yield Finding("goes with its pods", LOW)
    elif change.ref.kind == "GrayRelease" and text(change.before, "spec", "deletion") == "Orphan":
        yield Finding("goes, and leaves its pods and route running: nobody brings in or takes back versions", MEDIUM)
    else:
        yield Finding("goes: what used it is not answered any more")


def _other_gone(change: Change, scene: Scene) -> Iterator[Finding]:
    """What is known to be harmless is told as low; what nobody here knows is not."""
    kind = change.ref.kind
    ruled = kind in _SERVING or kind in _LOOKED_AT or loss_of(change, scene.changes)
    if Op.DELETE not in change.ops or ruled or kind.startswith("pulumi:"):
        return
    if kind in _MILD:
        yield Finding("goes", LOW)
    elif change.ref.api_version:
        yield Finding("goes, and what goes with it is not known here")
    elif kind.partition(":")[0] not in {scene.changes.project, "grayling"}:
        yield Finding("goes, outside the cluster: what goes with it is not known here")


def _still_used(change: Change, scene: Scene) -> Iterator[Finding]:
    if Op.DELETE in change.ops and change.ref.kind in {"ConfigMap", "ServiceAccount", "PersistentVolumeClaim"}:
        users = scene.users.get((change.ref.namespace, Uses(change.ref.kind, change.ref.name)), ())
        if users:
            yield Finding(f"goes, and {listed(users)} still needs it: new pods do not start")


def _share(value: Any, pods: float | None) -> float | None:
    """A number or percentage of pods, as a percentage; None where it cannot be told."""
    if isinstance(value, str) and value.endswith("%"):
        return amount(value.removesuffix("%"))
    count = number(value)
    return None if count is None or not pods else count / pods * _ALL


def _lets_all_go(budget: Any) -> bool:
    least, most = (mapping(budget, "spec").get(key) for key in ("minAvailable", "maxUnavailable"))
    if isinstance(most, str) and (amount(most.removesuffix("%")) or 0) >= _ALL:
        return True
    return least is not None and amount(least.removesuffix("%") if isinstance(least, str) else least) == 0


def _budget(change: Change, scene: Scene) -> Iterator[Finding]:
    if Op.DELETE in change.ops:
        together = scene.pods_go_too(change) or change.ref.namespace in scene.namespaces_gone
        yield Finding("goes with its pods", LOW) if together else Finding("goes: a drain may take all pods at once")
    elif change.after and _lets_all_go(change.after) and not (change.before and _lets_all_go(change.before)):
        yield Finding("lets all pods go at once", HIGH if change.before else MEDIUM, "spec")
    elif change.before and change.after:
        yield from _weaker(change.before, change.after)


def _weaker(before: Any, after: Any) -> Iterator[Finding]:
    for key, sign in (("minAvailable", -1), ("maxUnavailable", 1)):
        was, will = (mapping(side, "spec").get(key) for side in (before, after))
        old, new = _share(was, _ALL), _share(will, _ALL)
        if (
            old is not None
            and new is not None
            and isinstance(was, str) == isinstance(will, str)
            and (new - old) * sign > 0
        ):
            yield Finding(f"{key} {said(was)} → {said(will)}: more pods may go at once", MEDIUM, f"spec.{key}")
    if mapping(before, "spec", "selector") != mapping(after, "spec", "selector"):
        yield Finding("is for other pods: those before are not kept any more", MEDIUM, "spec.selector")


def _blocks(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    def none_may_go(side: Any) -> bool:
        spec = mapping(side, "spec")
        return spec.get("maxUnavailable") in (0, "0%") or spec.get("minAvailable") == "100%"

    if change.after and none_may_go(change.after) and not none_may_go(change.before):
        yield Finding("lets no pod go: no node with one can be drained", None, "spec")


def _probes(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for name, old, new in changed(change, "containers"):
        for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
            if mapping(old, probe) and not mapping(new, probe):
                yield Finding(f"{said(name)}: no {probe} any more", None, in_container(change, name, f"{probe}"))


def _spread(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = pods(change)
    if not before or not after:
        return
    key = "topologySpreadConstraints"
    had, has = ({text(each, "topologyKey") for each in maps(side, key)} for side in (before, after))
    if had - has:
        yield Finding(f"pods are no longer spread over {listed(had - has)}", None, in_pod(change, key))
    if mapping(before, "affinity", "podAntiAffinity") and not mapping(after, "affinity", "podAntiAffinity"):
        yield Finding("pods may stand on one node", None, in_pod(change, "affinity.podAntiAffinity"))


def _ending(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = pods(change)
    key = "terminationGracePeriodSeconds"
    was, will = number(before, key), number(after, key)
    if was is not None and after and (30 if will is None else will) < was:
        yield Finding(f"pods have {said(after.get(key, 30))} s instead of {was:g} s to end", None, in_pod(change, key))
    for name, old, new in changed(change, "containers"):
        if mapping(old, "lifecycle", "preStop") and not mapping(new, "lifecycle", "preStop"):
            yield Finding(
                f"{said(name)}: no preStop any more, requests in flight are cut",
                None,
                in_container(change, name, "lifecycle.preStop"),
            )


def _strategy(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = (_strategy_of(side) for side in (change.before, change.after))
    if not change.before or not change.after:
        return
    was, will = text(before, "type") or "RollingUpdate", text(after, "type") or "RollingUpdate"
    if will == "Recreate" != was:
        yield Finding("all old pods go before a new one comes", None, "spec.strategy.type")
    share = mapping(after, "rollingUpdate").get("maxUnavailable")
    if share != mapping(before, "rollingUpdate").get("maxUnavailable") and (_share(share, None) or 0) >= _ALL:
        yield Finding(
            f"all pods may be away at once (maxUnavailable {said(share)})", None, "spec.strategy.rollingUpdate"
        )


def _strategy_of(manifest: Any) -> Json:
    return mapping(manifest, "spec", "strategy") or mapping(manifest, "spec", "updateStrategy")


def _restarts(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    kind = change.ref.kind
    if kind not in {"Deployment", "StatefulSet", "DaemonSet"} or change.ops != (Op.UPDATE,):
        return
    if template_of(kind, change.before) == template_of(kind, change.after):
        return
    alone = number(change.after, "spec", "replicas") in {None, 0.0, 1.0} and kind != "DaemonSet"
    stops = alone and (kind == "StatefulSet" or text(change.after, "spec", "strategy", "type") == "Recreate")
    severity = MEDIUM if stops and not watches_only(change) else LOW
    yield Finding(
        "its only pod starts anew: away meanwhile" if stops else "its pods start anew, outside a release",
        severity,
        "spec.template",
    )


def _jobs(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    was, will = (mapping(side, "spec").get("suspend") is True for side in (change.before, change.after))
    if change.before and will and not was:
        yield Finding("is suspended: it does not run any more", None, "spec.suspend")


_BACK = "declare it again as it was"
_MAKERS = POD_MAKERS

RULES = (
    Rule(
        "serving-object-deleted",
        "a workload, Service, Gateway or route goes",
        "users are not answered",
        HIGH,
        "apply it again",
        _gone,
    ),
    Rule(
        "object-deleted",
        "another object goes",
        "what it did is not done any more",
        MEDIUM,
        "apply it again",
        _other_gone,
    ),
    Rule("still-used", "pods need an object that goes", "new pods do not start", HIGH, "apply it again", _still_used),
    Rule(
        "budget-dropped",
        "a disruption budget goes, or lets more pods go",
        "a drain takes the service down",
        HIGH,
        _BACK,
        _budget,
        kinds=_BUDGET,
    ),
    Rule(
        "budget-blocks-drains",
        "a disruption budget lets no pod go",
        "nodes cannot be drained",
        MEDIUM,
        _BACK,
        _blocks,
        kinds=_BUDGET,
    ),
    Rule(
        "probe-removed", "a probe goes", "pods that cannot answer get requests", MEDIUM, _BACK, _probes, kinds=_MAKERS
    ),
    Rule(
        "spread-removed",
        "pods are not spread any more",
        "one node or zone takes all along",
        MEDIUM,
        _BACK,
        _spread,
        kinds=_MAKERS,
    ),
    Rule(
        "ending-shortened",
        "pods have less time to end",
        "requests in flight are cut",
        MEDIUM,
        _BACK,
        _ending,
        kinds=_MAKERS,
    ),
    Rule(
        "all-at-once",
        "an update may take all pods away",
        "nobody answers meanwhile",
        HIGH,
        _BACK,
        _strategy,
        kinds=kinds("Deployment", "StatefulSet", "DaemonSet"),
    ),
    Rule(
        "pods-restart",
        "pods start anew outside a release",
        "a bad start is seen by all",
        LOW,
        "declare the old template again",
        _restarts,
    ),
    Rule(
        "job-suspended",
        "a Job or CronJob is suspended",
        "its work is not done",
        MEDIUM,
        _BACK,
        _jobs,
        kinds=kinds("Job", "CronJob"),
    ),
)

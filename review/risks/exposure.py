"""What can be reached from outside: Services, ports of nodes, listeners of gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.model.change import Op
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds
from review.risks.shapes import Json, items, listed, mapping, maps, number, said, text, texts
from review.risks.templates import POD_MAKERS, both, pods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_SERVICE, _GATEWAY = kinds("Service"), kinds("Gateway")
_OUTSIDE = {"NodePort": 1, "LoadBalancer": 2}
_TLS = frozenset({"HTTPS", "TLS"})
_EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})


def _opened(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    before, after = (text(side, "spec", "type") for side in (change.before, change.after))
    if _OUTSIDE.get(after, 0) > _OUTSIDE.get(before, 0):
        was = f"{before or 'ClusterIP'} → {after}" if change.before else after
        yield Finding(
            f"can be reached from outside the cluster ({was})", None if change.before else MEDIUM, "spec.type"
        )
    added = [
        each
        for each in texts(change.after, "spec", "externalIPs")
        if each not in texts(change.before, "spec", "externalIPs")
    ]
    if added:
        yield Finding(f"answers for addresses outside ({listed(added)})", None, "spec.externalIPs")


def _closed(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = (text(side, "spec", "type") for side in (change.before, change.after))
    if change.before and change.after and _OUTSIDE.get(after, 0) < _OUTSIDE.get(before, 0):
        yield Finding(
            f"can no longer be reached from outside as before ({before} → {after or 'ClusterIP'})", None, "spec.type"
        )


def _ranges(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = (texts(side, "spec", "loadBalancerSourceRanges") for side in (change.before, change.after))
    if not before or not change.after:
        return
    if not after or _EVERYWHERE & set(after):
        yield Finding(f"lets in everybody; before only {listed(before)}", None, "spec.loadBalancerSourceRanges")
    elif added := set(after) - set(before):
        yield Finding(f"lets in {listed(added)} too", MEDIUM, "spec.loadBalancerSourceRanges")


def _leads_elsewhere(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if not change.before or not change.after:
        return
    before, after = (mapping(side, "spec", "selector") for side in (change.before, change.after))
    if before != after:
        yield Finding(
            f"leads to other pods ({said(before)} → {said(after)}), all requests at once", HIGH, "spec.selector"
        )
    if text(change.before, "spec", "externalName") != text(change.after, "spec", "externalName"):
        yield Finding(
            f"is another name for {said(text(change.after, 'spec', 'externalName'))}", HIGH, "spec.externalName"
        )
    old, new = (_ports(side) for side in (change.before, change.after))
    gone = [name for name in old if name not in new]
    moved = [name for name in old if name in new and old[name] != new[name]]
    if gone:
        yield Finding(f"closes port {listed(gone)}", MEDIUM, "spec.ports")
    if moved:
        yield Finding(f"another port of the pods stands behind {listed(moved)}", MEDIUM, "spec.ports")


def _ports(service: object) -> dict[str, str]:
    return {
        f"{said(port.get('port'))}/{text(port, 'protocol') or 'TCP'}": said(port.get("targetPort") or port.get("port"))
        for port in maps(service, "spec", "ports")
    }


def _on_node(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = pods(change)
    if after.get("hostNetwork") is True and before.get("hostNetwork") is not True:
        yield Finding("its pods stand in the network of the node, past every policy", HIGH)
    for name, old, new in both(change):
        had = {_host_port(port) for port in maps(old, "ports")}
        added = {_host_port(port) for port in maps(new, "ports")} - had - {0.0}
        if added:
            yield Finding(f"{said(name)} opens port {listed(f'{port:g}' for port in added)} of its node", MEDIUM)


def _host_port(port: Json) -> float:
    return number(port, "hostPort") or 0.0


def _listeners(gateway: object) -> dict[str, Json]:
    return {text(each, "name"): each for each in maps(gateway, "spec", "listeners")}


def _plain(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before = _listeners(change.before)
    for name, listener in _listeners(change.after).items():
        protocol = text(listener, "protocol")
        was = text(before.get(name), "protocol")
        if was in _TLS and protocol not in _TLS:
            yield Finding(
                f"listener {said(name)} gives up TLS ({was} → {protocol})", HIGH, f"spec.listeners[{name}].protocol"
            )
        elif protocol in {"HTTP", "TCP"} and name not in before:
            severity = LOW if change.ops == (Op.CREATE,) else MEDIUM
            yield Finding(
                f"listener {said(name)} has no TLS ({protocol})", severity, f"spec.listeners[{name}].protocol"
            )


def _listener_gone(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if not change.before or not change.after:
        return
    after = _listeners(change.after)
    for name, old in _listeners(change.before).items():
        new = after.get(name)
        if new is None:
            yield Finding(
                f"listener {said(name)} goes: what comes by it is not answered", None, f"spec.listeners[{name}]"
            )
        elif any(old.get(key) != new.get(key) for key in ("port", "hostname")):
            yield Finding(f"listener {said(name)} answers at another port or host", None, f"spec.listeners[{name}]")


def _takes_all(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before = _listeners(change.before)
    for name, listener in _listeners(change.after).items():
        path = ("allowedRoutes", "namespaces", "from")
        if text(listener, *path) == "All" != text(before.get(name), *path):
            yield Finding(
                f"listener {said(name)} takes routes of every namespace", None, f"spec.listeners[{name}].allowedRoutes"
            )


def _ingress_plain(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if (
        change.before
        and change.after
        and items(change.before, "spec", "tls")
        and not items(change.after, "spec", "tls")
    ):
        yield Finding("gives up TLS", None, "spec.tls")


def _granted(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before = {text(each, "namespace") for each in maps(change.before, "spec", "from")}
    added = {text(each, "namespace") for each in maps(change.after, "spec", "from")} - before
    if added:
        yield Finding(f"lets routes of {listed(added)} lead into this namespace", None, "spec.from")


_BACK = "apply the old object again"

RULES = (
    Rule(
        "exposed",
        "a Service can be reached from outside",
        "attackers reach it too",
        HIGH,
        _BACK,
        _opened,
        kinds=_SERVICE,
    ),
    Rule(
        "no-longer-exposed",
        "a Service can no longer be reached from outside",
        "users may be cut off",
        MEDIUM,
        _BACK,
        _closed,
        kinds=_SERVICE,
    ),
    Rule(
        "source-ranges-dropped",
        "a load balancer lets in more",
        "attackers reach it too",
        HIGH,
        _BACK,
        _ranges,
        kinds=_SERVICE,
    ),
    Rule(
        "service-leads-elsewhere",
        "a Service selects other pods, or its ports change",
        "all requests go elsewhere at once, outside a release",
        HIGH,
        _BACK,
        _leads_elsewhere,
        kinds=_SERVICE,
    ),
    Rule(
        "network-of-the-node",
        "pods use the network or ports of their node",
        "policies do not hold there",
        HIGH,
        _BACK,
        _on_node,
        kinds=POD_MAKERS,
    ),
    Rule(
        "listener-without-tls", "a listener has no TLS", "what passes can be read", HIGH, _BACK, _plain, kinds=_GATEWAY
    ),
    Rule(
        "listener-gone",
        "a listener goes or moves",
        "users are not answered",
        HIGH,
        _BACK,
        _listener_gone,
        kinds=_GATEWAY,
    ),
    Rule(
        "routes-from-everywhere",
        "a listener takes routes of every namespace",
        "others can take its hostnames",
        MEDIUM,
        _BACK,
        _takes_all,
        kinds=_GATEWAY,
    ),
    Rule(
        "ingress-without-tls",
        "an Ingress gives up TLS",
        "what passes can be read",
        HIGH,
        _BACK,
        _ingress_plain,
        kinds=kinds("Ingress"),
    ),
    Rule(
        "reference-granted",
        "routes of another namespace may lead here",
        "they reach its Services",
        MEDIUM,
        _BACK,
        _granted,
        kinds=kinds("ReferenceGrant"),
    ),
)

"""The network between pods: who may reach whom after this change, and could not before."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

from review.model.change import Op
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds
from review.risks.shapes import Json, items, mapping, maps, said, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.model.risk import Severity
    from review.risks.scene import Scene

_KIND = kinds("NetworkPolicy")
_ANY = "{}"
_WIDE_BITS = 8
"""A block of addresses with so few fixed bits is half the internet or more of a company than anybody means."""

Pair = tuple[str, str]
"""A peer and a port, each as JSON."""


def _pairs(policy: Any, direction: str) -> frozenset[Pair]:
    side = "from" if direction == "ingress" else "to"
    found: set[Pair] = set()
    for rule in maps(policy, "spec", direction):
        peers = [_written(peer) for peer in maps(rule, side)] if items(rule, side) else [_ANY]
        ports = [_written(port) for port in maps(rule, "ports")] if items(rule, "ports") else [_ANY]
        found.update((peer, port) for peer in peers for port in ports)
    return frozenset(found)


def _written(value: Json) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _isolates(policy: Any, direction: str) -> bool:
    types = texts(policy, "spec", "policyTypes")
    if not types:
        return direction == "ingress" or bool(items(policy, "spec", "egress"))
    return direction.capitalize() in types


def _new(change: Change, direction: str) -> list[Pair]:
    if change.after is None or not _isolates(change.after, direction):
        return []
    before = _pairs(change.before, direction) if change.before else frozenset()
    if change.before is not None and not _isolates(change.before, direction):
        return []
    return sorted(
        (peer, port)
        for peer, port in _pairs(change.after, direction)
        if not {(peer, port), (_ANY, port), (peer, _ANY), (_ANY, _ANY)} & before
    )


def _reach(peer: str) -> tuple[Severity, str]:
    """How many a peer lets in."""
    value: Json = json.loads(peer)
    block = text(value, "ipBlock", "cidr")
    if not value or (block and _is_wide(block)):
        return HIGH, "everywhere" if not value else block
    if block:
        return MEDIUM, block
    if "namespaceSelector" in value and not mapping(value, "namespaceSelector"):
        return HIGH, "every namespace"
    if "namespaceSelector" in value:
        return MEDIUM, f"namespaces {selector_text(value['namespaceSelector'])}"
    if not mapping(value, "podSelector"):
        return MEDIUM, "every pod of the namespace"
    return LOW, f"pods {selector_text(value['podSelector'])}"


def selector_text(selector: Json) -> str:
    """A selector as people write it: ``app=shop,tier in (a, b),!old``; ``all`` where it has no condition."""
    found = [f"{key}={value}" for key, value in sorted(mapping(selector, "matchLabels").items())]
    found += [_condition(each) for each in maps(selector, "matchExpressions")]
    return said(",".join(found) or "all")


def _condition(each: Json) -> str:
    key, operator = text(each, "key"), text(each, "operator")
    if operator == "Exists":
        return key
    if operator == "DoesNotExist":
        return f"!{key}"
    return f"{key} {operator.lower()} ({', '.join(str(value) for value in items(each, 'values'))})"


def _is_wide(block: str) -> bool:
    try:
        return ipaddress.ip_network(block, strict=False).prefixlen <= _WIDE_BITS
    except ValueError:
        return True


def _ingress(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    for severity, who, ports in _reached(change, "ingress"):
        new_and_narrow = change.ops == (Op.CREATE,) and bool(mapping(change.after, "spec", "podSelector"))
        mild = min(severity, MEDIUM) if new_and_narrow else severity
        yield Finding(f"may be reached from {who} on {ports}", mild, "spec.ingress")


def _egress(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    for severity, who, ports in _reached(change, "egress"):
        mild = min(severity, LOW if change.ops == (Op.CREATE,) else MEDIUM)
        yield Finding(f"may reach {who} on {ports}", mild, "spec.egress")


def _reached(change: Change, direction: str) -> Iterator[tuple[Severity, str, str]]:
    """New peers with their ports, each sort of peers once."""
    found: dict[tuple[Severity, str], list[str]] = {}
    for peer, port in _new(change, direction):
        value: Json = json.loads(port)
        found.setdefault(_reach(peer), []).append(said(value.get("port")) if value else "every port")
    for (severity, who), ports in found.items():
        yield severity, who, f"port {', '.join(sorted(set(ports))[:5])}" if "every port" not in ports else "every port"


def _unisolated(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if not change.before or not change.after:
        return
    for direction in ("ingress", "egress"):
        if _isolates(change.before, direction) and not _isolates(change.after, direction):
            yield Finding(
                f"{direction} is no longer limited by it",
                HIGH if direction == "ingress" else MEDIUM,
                "spec.policyTypes",
            )


def _deleted(change: Change, scene: Scene) -> Iterator[Finding]:
    if Op.DELETE not in change.ops:
        return
    if scene.pods_go_too(change) or change.ref.namespace in scene.namespaces_gone:
        yield Finding("goes with the pods that it is for", LOW)
    elif mapping(change.before, "spec", "podSelector"):
        yield Finding("goes: its pods may be reached by everybody that no other policy keeps out")
    else:
        yield Finding("is for every pod of the namespace, and goes: what no other policy limits is open")


def _selects_other(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = (mapping(side, "spec", "podSelector") for side in (change.before, change.after))
    if change.before and change.after and before != after and not _is_wider(before, after):
        others = f"{selector_text(before)} → {selector_text(after)}"
        yield Finding(f"is for other pods ({others}): those before are open", None, "spec.podSelector")


def _is_wider(before: Json, after: Json) -> bool:
    """Whether whatever was selected still is."""
    old, new = mapping(before, "matchLabels"), mapping(after, "matchLabels")
    fewer = all(old.get(key) == value for key, value in new.items())
    return fewer and all(each in items(before, "matchExpressions") for each in items(after, "matchExpressions"))


def _cut_off(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if not change.before or not change.after:
        return
    for direction in ("ingress", "egress"):
        after = _pairs(change.after, direction)
        gone = [
            pair
            for pair in _pairs(change.before, direction)
            if not {pair, (_ANY, pair[1]), (pair[0], _ANY), (_ANY, _ANY)} & after
        ]
        if gone and _isolates(change.after, direction):
            yield Finding(
                f"{len(gone)} ways of {direction} close: whoever used them is cut off", None, f"spec.{direction}"
            )


_BACK = "apply the old policy again"

RULES = (
    Rule("network-policy-deleted", "a NetworkPolicy goes", "its pods are open", HIGH, _BACK, _deleted, kinds=_KIND),
    Rule(
        "network-ingress-opened",
        "pods may be reached by more",
        "attackers reach them too",
        HIGH,
        _BACK,
        _ingress,
        kinds=_KIND,
    ),
    Rule("network-egress-opened", "pods may reach more", "data can leave", MEDIUM, _BACK, _egress, kinds=_KIND),
    Rule(
        "network-not-isolated",
        "a policy no longer limits a direction",
        "its pods are open",
        HIGH,
        _BACK,
        _unisolated,
        kinds=_KIND,
    ),
    Rule(
        "network-policy-selects-less",
        "a policy is for other pods",
        "those before are open",
        HIGH,
        _BACK,
        _selects_other,
        kinds=_KIND,
    ),
    Rule(
        "network-narrowed",
        "pods may be reached by fewer, or reach fewer",
        "something may be cut off",
        LOW,
        _BACK,
        _cut_off,
        kinds=_KIND,
    ),
)

"""The HTTPRoute of a release: its shape as the spec wants it, and which of its entries are the engine's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kube.kinds import HTTP_ROUTE
from rollout.api.durations import duration_of
from rollout.api.revision import labels_of, owner_of
from rollout.api.sources import ControlPlane
from rollout.api.spec import GROUP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.kinds import Manifest
    from rollout.api.spec import Spec, Traffic

EPOCH_ANNOTATION = f"{GROUP}/epoch"
ANY_PATH: Manifest = {"path": {"type": "PathPrefix", "value": "/"}}
KEEPER: list[Manifest] = [{"path": {"type": "Exact", "value": "/.grayling/revisions"}, "method": "CONNECT"}]
"""What the rule matches that keeps revisions known (ADR 59): nothing, since a CONNECT has no path."""

_FORGETFUL = {ControlPlane.ENVOY_GATEWAY}
"""Control planes whose proxies forget a backend that has weight 0."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the spec says of a route besides its weights, written as the API server completes it.

    Attributes:
        parents: `spec.parentRefs`.
        hostnames: `spec.hostnames`.
        matches: `matches` of the engine's rule.
        request_timeout: `timeouts.request` of that rule; empty for none.
        keeper: whether a rule that no request matches names all revisions, so that the proxies know each of them
            before it gets a share and until it has none: a proxy that hears of a route before it hears of its backend,
            or forgets the backend first, answers in its place.
    """

    parents: list[Manifest]
    hostnames: list[str]
    matches: list[Manifest]
    request_timeout: str
    keeper: bool = False


def needs_keeper(spec: Spec) -> bool:
    """Whether the gateway of a spec forgets backends of weight 0."""
    stats = spec.sources.gateway
    return stats is not None and stats.control_plane in _FORGETFUL


def shape_of(traffic: Traffic, *, keeper: bool = False) -> Shape:
    """The shape that ``traffic`` asks for, with the defaults of the HTTPRoute schema filled in."""
    timeout = traffic.request_timeout
    return Shape(
        parents=[_with_parent_defaults(parent.wire()) for parent in traffic.parents],
        hostnames=list(traffic.hostnames),
        matches=[_with_match_defaults(match.wire()) for match in traffic.matches] or [ANY_PATH],
        request_timeout="" if timeout is None else duration_of(timeout),
        keeper=keeper,
    )


def shape_on(route: Manifest) -> Shape:
    """The shape a route has."""
    spec, rule = route.get("spec") or {}, own_rule(route)
    found = rules_of(route)[rule] if rule is not None else {}
    return Shape(
        parents=list(spec.get("parentRefs") or ()),
        hostnames=list(spec.get("hostnames") or ()),
        matches=list(found.get("matches") or ()),
        request_timeout=(found.get("timeouts") or {}).get("request", ""),
        keeper=_keeps_all(route),
    )


def _with_parent_defaults(parent: Manifest) -> Manifest:
    return {"group": "gateway.networking.k8s.io", "kind": "Gateway", **parent}


def _with_match_defaults(match: Manifest) -> Manifest:
    full: Manifest = {**match, "path": {**ANY_PATH["path"], **(match.get("path") or {})}}
    for each in ("headers", "queryParams"):
        if each in match:
            full[each] = [{"type": "Exact", **entry} for entry in match[each]]
    return full


# ---------------------------------------------------------------------- which entries are ours


def rules_of(route: Manifest) -> list[Manifest]:
    """The rules of a route."""
    return list((route.get("spec") or {}).get("rules") or ())


def backends_of(rule: Mapping[str, Any]) -> list[Manifest]:
    """The backends of a rule."""
    return list(rule.get("backendRefs") or ())


def is_own(backend: Mapping[str, Any], release: str, namespace: str) -> bool:
    """Whether a backend is a revision of ``release``: told by the name the engine gives revisions."""
    here = backend.get("namespace") in {None, namespace}
    service = backend.get("kind", "Service") == "Service" and not backend.get("group")
    return here and service and re.fullmatch(rf"{re.escape(release)}-[0-9a-f]{{8}}", str(backend["name"])) is not None


def own_rule(route: Manifest) -> int | None:
    """Index of the rule the engine moves: the first with a revision of the release among its backends.

    Somebody may have taken all of them out: then it is the first rule, which is where the engine made it. Other rules
    are other people's, but for :func:`keeper_rule`. None where there are no such rules at all.
    """
    meta, rules = route["metadata"], rules_of(route)
    moved = [index for index, rule in enumerate(rules) if rule.get("matches") != KEEPER]
    for index in moved:
        if any(is_own(each, meta["name"], meta.get("namespace", "")) for each in backends_of(rules[index])):
            return index
    return moved[0] if moved else None


def keeper_rule(route: Manifest) -> int | None:
    """Index of the rule that keeps revisions known; None where there is none."""
    return next((index for index, rule in enumerate(rules_of(route)) if rule.get("matches") == KEEPER), None)


def _keeps_all(route: Manifest) -> bool:
    """Whether the keeper's rule is there, with the revisions and ports of the rule that is moved."""
    index = keeper_rule(route)
    kept = {} if index is None else {each["name"]: each.get("port") for each in backends_of(rules_of(route)[index])}
    return index is not None and kept == ports_on(route)


def weights_on(route: Manifest) -> dict[str, int]:
    """Percent of the requests by backend, as the engine's rule says now.

    Backends that are not ours count where they take a share, so that a stranger's share is seen as what it is.
    """
    index = own_rule(route)
    backends = backends_of(rules_of(route)[index]) if index is not None else []
    meta = route["metadata"]
    total = sum(int(each.get("weight", 1)) for each in backends)
    weights: dict[str, int] = {}
    for each in backends:
        weight = int(each.get("weight", 1))
        if weight or is_own(each, meta["name"], meta.get("namespace", "")):
            weights[each["name"]] = weights.get(each["name"], 0) + (round(100 * weight / total) if total else 0)
    return weights


def carriers_on(route: Manifest) -> dict[str, int]:
    """Our revisions on the engine's rule, with the percentages of :func:`weights_on`."""
    meta = route["metadata"]
    named = {"kind": "Service"}
    shares = weights_on(route).items()
    return {name: share for name, share in shares if is_own({**named, "name": name}, meta["name"], meta["namespace"])}


def ports_on(route: Manifest) -> dict[str, int]:
    """Service port by revision of ours on the engine's rule."""
    index, meta = own_rule(route), route["metadata"]
    backends = backends_of(rules_of(route)[index]) if index is not None else []
    ours = (each for each in backends if is_own(each, meta["name"], meta.get("namespace", "")))
    return {each["name"]: int(each["port"]) for each in ours if each.get("port")}


# ---------------------------------------------------------------------- a new route


def backend(revision: str, port: int, weight: int) -> Manifest:
    """A backend entry, complete."""
    return {"group": "", "kind": "Service", "name": revision, "port": port, "weight": weight}


def new_rule(shape: Shape, backends: list[Manifest]) -> Manifest:
    """The engine's rule."""
    rule: Manifest = {"matches": shape.matches, "backendRefs": backends}
    return rule | ({"timeouts": {"request": shape.request_timeout}} if shape.request_timeout else {})


def new_keeper(ports: Mapping[str, int]) -> Manifest:
    """The rule that keeps revisions known, of these with their ports."""
    return {"matches": KEEPER, "backendRefs": [backend(revision, port, 1) for revision, port in ports.items()]}


def new_rules(shape: Shape, backends: list[Manifest]) -> list[Manifest]:
    """All rules of a route that has none yet."""
    ports = {each["name"]: each["port"] for each in backends}
    return [new_rule(shape, backends), *([new_keeper(ports)] if shape.keeper else [])]


def new_route(name: str, namespace: str, uid: str, shape: Shape, backends: list[Manifest], epoch: int) -> Manifest:
    """The whole route, as it is created when there is none."""
    meta = {
        "name": name,
        "namespace": namespace,
        "labels": {key: value for key, value in labels_of(name, "").items() if value},
        "annotations": {EPOCH_ANNOTATION: str(epoch)},
        "ownerReferences": [owner_of(name, uid)],
    }
    spec: Manifest = {"parentRefs": shape.parents, "rules": new_rules(shape, backends)}
    if shape.hostnames:
        spec["hostnames"] = shape.hostnames
    return {"apiVersion": HTTP_ROUTE.api_version, "kind": HTTP_ROUTE.kind, "metadata": meta, "spec": spec}

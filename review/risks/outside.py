"""What takes effect at once, past every release: routes, configuration, and a service's own traffic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from components.releases.promises import CONTRACT_LABEL
from review.model.change import Op
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds
from review.risks.scene import watches_only
from review.risks.shapes import listed, mapping, maps, said, text
from review.risks.templates import changed, in_container
from rollout.api.revision import RELEASE_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_ROUTES = kinds(
    "HTTPRoute",
    "GRPCRoute",
    "TLSRoute",
    "TCPRoute",
    "UDPRoute",
    "Ingress",
    "VirtualService",
    "TrafficSplit",
    "HTTPProxy",
    "IngressRoute",
)
_REVISION = re.compile(r".+-[0-9a-f]{8}")
_ALERTS = re.compile(r"(?m)^\s*-?\s*(alert|record):")


def _backends(manifest: Any) -> dict[str, Any]:
    """Weight by backend, over all rules."""
    return {
        f"{place}/{text(backend, 'name')}": backend.get("weight", 1)
        for place, rule in enumerate(maps(manifest, "spec", "rules"))
        for backend in maps(rule, "backendRefs")
    }


def _is_engines(change: Change) -> bool:
    """Whether the engine moves the weights of a route: its label, or backends that are revisions of a service."""
    labelled = any(RELEASE_LABEL in mapping(side, "metadata", "labels") for side in (change.before, change.after))
    return labelled or any(
        _REVISION.fullmatch(name) for side in (change.before, change.after) for name in _backends(side)
    )


def _route(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    if not change.before or not change.after:
        return
    before, after = _backends(change.before), _backends(change.after)
    if before != after:
        shown = listed(f"{name.partition('/')[2]} {said(weight)}" for name, weight in after.items())
        yield Finding(f"sends requests elsewhere at once ({shown}): no release watches it", None, "spec.rules")
    elif change.edited("spec"):
        yield Finding(
            f"takes other requests at once ({listed(edit.text for edit in change.edited('spec'))})", MEDIUM, "spec"
        )


def _engines_route(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if _is_engines(change) and (Op.CREATE in change.ops or change.edited("spec") or change.goes):
        yield Finding(
            "is a route whose weights the engine moves: two writers fight over it, and a release loses its share"
        )


def _traffic(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    edits = change.edited("spec", "traffic")
    if change.before and change.after and edits:
        goes = change.after.get("spec") is None or mapping(change.after, "spec").get("traffic") is None
        yield Finding(
            f"takes other requests ({listed(edit.text for edit in edits)}), for every version at once",
            HIGH if goes else None,
            edits[0].text,
        )


def _config(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if Op.UPDATE not in change.ops and Op.REPLACE not in change.ops:
        return
    edits = [edit for edit in change.edits if edit.path[:1] in {("data",), ("binaryData",)}]
    files = [edit for edit in edits if not _is_watching(edit.path, edit.before, edit.after)]
    if edits:
        promise = bool(text(change.after, "metadata", "labels", CONTRACT_LABEL))
        severity = LOW if watches_only(change) or not files or promise else None
        yield Finding(
            f"{listed({str(edit.path[-1]) for edit in edits})} changes for all pods at once, outside a release",
            severity,
            edits[0].text,
        )


def _settings(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if Op.UPDATE not in change.ops:
        return
    for name, old, new in changed(change):
        other = [key for key in ("command", "args", "env", "envFrom") if old.get(key) != new.get(key)]
        if other:
            severity = LOW if watches_only(change) else None
            yield Finding(
                f"{said(name)} starts with another {listed(other)}, outside a release",
                severity,
                in_container(change, name, other[0]),
            )


def _is_watching(path: Any, before: Any, after: Any) -> bool:
    """A dashboard, or a file of alerts: it has rules of its own."""
    sides = [side for side in (before, after) if isinstance(side, str)]
    dashboards = str(path[-1]).endswith(".json") and all('"panels"' in side for side in sides)
    return bool(sides) and (dashboards or all(_ALERTS.search(side) for side in sides))


_BACK = "declare the old one again; it takes effect at once too"

RULES = (
    Rule(
        "route-outside-release",
        "a route changes outside a release",
        "every user is sent elsewhere at once",
        HIGH,
        _BACK,
        _route,
        kinds=_ROUTES,
    ),
    Rule(
        "route-of-a-release",
        "a route that the engine owns is declared too",
        "weights jump, a rollback is overwritten",
        HIGH,
        "take the route out of the program",
        _engines_route,
        kinds=_ROUTES,
    ),
    Rule(
        "release-traffic-changed",
        "a service takes other requests",
        "it is no part of a release: every version gets them at once",
        MEDIUM,
        _BACK,
        _traffic,
        kinds=kinds("GrayRelease"),
    ),
    Rule(
        "config-outside-release",
        "configuration changes outside a release",
        "all pods get it, or start anew with it",
        MEDIUM,
        _BACK,
        _config,
        kinds=kinds("ConfigMap"),
    ),
    Rule(
        "settings-outside-release",
        "arguments or variables change outside a release",
        "every pod gets them",
        MEDIUM,
        "declare the old ones again",
        _settings,
        kinds=kinds("Deployment", "StatefulSet", "DaemonSet"),
    ),
)

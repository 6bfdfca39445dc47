"""Alerts: what would have told people, and will not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from review.model.change import Op
from review.risks.rule import LOW, MEDIUM, Finding, Rule, kinds
from review.risks.shapes import Json, listed, mapping, maps, seconds, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_KINDS = kinds("PrometheusRule", "ConfigMap", "VMRule")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONGEST = 1_000_000


def _alerts(manifest: Any, kind: str) -> dict[str, Json]:
    """Alerts by name, wherever in the object they stand."""
    groups = maps(manifest, "spec", "groups")
    if kind == "ConfigMap":
        files = [each for each in mapping(manifest, "data").values() if isinstance(each, str)]
        groups = [group for each in files for group in _groups(each)]
    return {text(rule, "alert"): rule for group in groups for rule in maps(group, "rules") if text(rule, "alert")}


def _groups(file: str) -> list[Json]:
    if "alert:" not in file or "groups" not in file or len(file) > _LONGEST:
        return []
    try:
        return maps(yaml.load(file, _LOADER), "groups")  # noqa: S506 - a safe loader, the fast one where there is one
    except (yaml.YAMLError, ValueError, RecursionError):
        return []


def _elsewhere(scene: Scene) -> set[str]:
    """Alerts that this preview declares, in whichever object."""
    return {name for change in scene.changes.of_kind(*_KINDS) for name in _alerts(change.after, change.ref.kind)}


def _removed(scene: Scene) -> Iterator[Finding]:
    kept: set[str] | None = None
    for change in scene.changes.of_kind(*_KINDS):
        before = _alerts(change.before, change.ref.kind)
        if before and kept is None:
            kept = _elsewhere(scene)
        gone = before.keys() - (kept or set())
        if gone:
            yield Finding(f"{listed(gone)} alerts nobody any more", ref=change.ref)


def _changed(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    before, after = (_alerts(side, change.ref.kind) for side in (change.before, change.after))
    other = [name for name, rule in before.items() if name in after and text(rule, "expr") != text(after[name], "expr")]
    later = [
        name
        for name, rule in before.items()
        if name in after and (seconds(after[name], "for") or 0) > (seconds(rule, "for") or 0)
    ]
    if other:
        yield Finding(f"{listed(other)} alerts on something else, or at another threshold", None, "groups")
    if later:
        yield Finding(f"{listed(later)} alerts later", LOW, "groups")


def _unmeasured(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if Op.DELETE in change.ops:
        yield Finding("goes: what it measured is not seen any more")


_BACK = "declare the old alert again"

RULES = (
    Rule("alerts-removed", "an alert goes", "a fault is not told", MEDIUM, _BACK, every=_removed),
    Rule(
        "alerts-changed",
        "an alert has another condition",
        "a fault is told later or not",
        MEDIUM,
        _BACK,
        _changed,
        kinds=_KINDS,
    ),
    Rule(
        "monitor-removed",
        "a monitor goes",
        "alerts on it see nothing",
        MEDIUM,
        "declare it again",
        _unmeasured,
        kinds=kinds("ServiceMonitor", "PodMonitor", "Probe", "ScrapeConfig", "VMServiceScrape"),
    ),
)

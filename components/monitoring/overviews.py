"""Dashboards about a whole stack: how it is, in words that need no engineer, and what is being released."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from components.model.endpoints import SCRAPERS
from components.model.exhaustion import RATIO
from components.model.observability import Dashboard, Panel, expression, in_prometheus
from components.workloads.baseline import in_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.model.component import Component, Scope

STACK = "stack"
"""The label of a stack's alarms, where others have theirs in the same Prometheus."""

GOOD, WARN, BAD = "green", "orange", "red"
_LONGEST_UID = 40
_LABELS = 'alertstate="firing",severity=~"critical|warning"'


def dashboards_of(scope: Scope) -> dict[str, Dashboard]:
    """By name: one for each member that has panels, one of releases, and the overview."""
    found = {name: member.dashboard() for name, member in sorted(scope.members.items())}
    made = {"overview.health": health(scope), **found}
    if scope.of_kind("controller"):
        made["overview.releases"] = releases(scope)
    return {name: each for name, each in made.items() if each.panels}


def config_maps(scope: Scope, name: str) -> dict[str, dict[str, str]]:
    """All dashboards in as many ConfigMaps as they need, since one takes a megabyte."""
    from components.monitoring.grafana_json import written

    space = scope.environment.namespace
    files = {f"{key}.json": written(each, uid_of(f"{space}-{key}")) for key, each in dashboards_of(scope).items()}
    return in_parts(name, files)


def uid_of(name: str) -> str:
    """What Grafana knows a dashboard by: the name, and for a long one its beginning and what tells it from others."""
    plain = name.replace(".", "_")
    if len(plain) <= _LONGEST_UID:
        return plain
    return f"{plain[: _LONGEST_UID - 9]}-{hashlib.sha256(plain.encode()).hexdigest()[:8]}"


def health(scope: Scope) -> Dashboard:
    """For whoever answers for the whole: what is up, what is changing, what fails, what fills, what is alarming."""
    space = scope.environment.namespace
    systems = [name for name, member in sorted(scope.members.items()) if _measured(member)]
    return Dashboard(f"{space} / Overview", tuple(_health(scope, f'namespace="{space}"', systems)))


def _measured(member: Component) -> bool:
    return any(each.open_to(SCRAPERS) for each in member.endpoints)


def _health(scope: Scope, own: str, systems: list[str]) -> Iterator[Panel]:
    ours = f'up{{{own},instance_name=~"{"|".join(systems)}"}}'
    # Of those that are declared, so that one that is gone altogether counts too.
    share = f"(count(max by (instance_name) ({ours}) == 1) or vector(0)) / {len(systems) or 1}"
    told = _alarms(scope)
    yield Panel(
        "Systems that answer", share, "percentunit", "number", limits=((None, BAD), (1, GOOD)),
        about="Of all systems of this environment, how many answer right now",
    )  # fmt: skip
    for title, severity, colour in (("Urgent alarms", "critical", BAD), ("Other alarms", "warning", WARN)):
        yield Panel(
            title, f'count(ALERTS{{alertstate="firing",severity="{severity}"{told}}}) or vector(0)', "none", "number",
            limits=((None, GOOD), (1, colour)), about="Open now; the list below names who looks after each",
        )  # fmt: skip
    if scope.of_kind("controller"):
        yield Panel(
            "Being released", f"sum(grayling_releases_in_flight{{{own}}})", "none", "number", limits=((None, "blue"),),
            about="Changes that are on their way into production right now",
        )  # fmt: skip
    yield Panel(
        "Each system", f"max by (instance_name) ({ours})", "none", "list",
        words=((1, "answers"), (0, "does not answer")), about="One that is missing here is gone altogether",
    )  # fmt: skip
    columns = "max by (alertname, component, owner, severity)"
    yield Panel(
        "Open alarms", f"{columns} (ALERTS{{{_LABELS}{told}}})", "none", "list", about="Empty while all is well"
    )
    if failures := _failures(scope):
        yield Panel("Requests that fail", failures, "percentunit", names="{{system}}")
    if any([*member.resources()] for member in scope.members.values()):
        used = f"{RATIO}{{{own}}}"
        yield Panel("How full it is", used, "percentunit", names="{{instance_name}}: {{resource}}")
    busy = f"sum by (instance_name) (rate(process_cpu_seconds_total{{{own}}}[5m]))"
    yield Panel("Work of each system", busy, names="{{instance_name}}", about="In processors")
    memory = f"sum by (instance_name) (process_resident_memory_bytes{{{own}}})"
    yield Panel("Memory of each system", memory, "bytes", names="{{instance_name}}")


def _alarms(scope: Scope) -> str:
    """Matcher of the stack's own alarms, where a Prometheus of somebody else has those of others too."""
    shared = any(each.lives_in for each in scope.of_kind("prometheus"))
    return f',{STACK}="{scope.stack}"' if shared else ""


def _failures(scope: Scope) -> str:
    """Shares of failed requests, of all services that say how they count them."""
    found = [
        _called(name, expression(signal, member.metrics_selector))
        for name, member in sorted(scope.members.items())
        for signal in member.health()
        if signal.kind == "errors" and in_prometheus(signal)
    ]
    return " or ".join(found)


def _called(name: str, expr: str) -> str:
    return f'label_replace({expr}, "system", "{name}", "", "")'


def releases(scope: Scope) -> Dashboard:
    """Of all releases of the namespace: where they are, how much of the traffic they have, what speaks against them."""
    space = scope.environment.namespace
    own = f'namespace="{space}"'
    return Dashboard(
        f"{space} / Releases",
        (
            Panel("On their way", f"sum(grayling_releases_in_flight{{{own}}})", "none", "number"),
            Panel("Waiting", f"sum(grayling_releases_waiting{{{own}}})", "none", "number"),
            Panel("How busy the engine is", f"max(grayling_engine_busy_ratio{{{own}}})", "percentunit", "number",
                  limits=((None, GOOD), (0.7, WARN), (0.9, BAD))),
            Panel("Failed requests that releases cost", f"sum(grayling_excess_failed_requests_total{{{own}}})", "none",
                  "number"),
            Panel("Phases", f"max by (name, phase) (grayling_release_phase{{{own}}} == 1)", "none", "list"),
            Panel("Outcomes", f"sum by (name, outcome) (grayling_releases_ended_total{{{own}}})", "none", "list"),
            Panel("Share of the new version", f"max by (name, kind) (grayling_release_weight_percent{{{own}}})",
                  "percent", names="{{name}} {{kind}}"),
            Panel("Evidence against the new version", f"max by (name, signal) (grayling_release_log_evidence{{{own}}})",
                  names="{{name}} {{signal}}", about="Natural logarithm; a release goes back before it is large"),
            Panel("What a release is judged by can be read", f"min by (name, source) (grayling_source_up{{{own}}})",
                  "none", names="{{name}} {{source}}", about="1: it answers"),
        ),
    )  # fmt: skip

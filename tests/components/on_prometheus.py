"""What a stack's own Prometheus on a cluster says of its panels, its rules and its alerts."""

from __future__ import annotations

import asyncio
import json
import math
import re
from urllib.parse import quote

from components.model.exhaustion import RATIO
from components.monitoring.overviews import dashboards_of
from kube.errors import KubeError
from tests.components.alerts.model import ALWAYS

SELECTOR = re.compile(r"[A-Za-z_:]*\{[^}]*\}")

# What is not there while all is well, and why.
BY_NATURE = {
    r"^otelcol_exporter_send_failed": "counted from the first batch on that a sink will not have",
    r'^jaeger_storage_requests_total\{result="err"': "counted from the first question on that fails",
    r'code=~"5\.\."': "counted from the first failed answer on",
    r"grayling_release_log_evidence|grayling_source_up": "counted while a release is judged",
    r"grayling_releases_ended_total|grayling_excess_failed": "counted from the first release on that ends",
    r"status_waiting_reason|kube_pod_status_unschedulable|kube_job_failed": "told of what cannot start, or has failed",
    r'condition="ReplicaFailure"': "a condition that a Deployment has from the first refusal on",
    r"^max by \(alertname": "of alerts that fire",
    r'outcome="SERVER_ERROR"|uri="/health/ready",status="503"': "counted from the first failed answer, or probe, on",
}


async def ask(cluster, space, path):
    return json.loads(await cluster.pod_text(space, "prometheus-0", 9090, path))["data"]


async def series(cluster, space, expr):
    return (await ask(cluster, space, f"/api/v1/query?query={quote(expr, safe='')}"))["result"]


async def alerts(cluster, space):
    """Alerts that wait or fire, by name."""
    return {each["labels"]["alertname"]: each for each in (await ask(cluster, space, "/api/v1/alerts"))["alerts"]}


async def has_data(cluster, space, expr, *, numbers):
    """Whether something comes back; with ``numbers``, something that can be drawn."""
    found = await series(cluster, space, expr)
    return any(not numbers or math.isfinite(float(each["value"][1])) for each in found)


def expected(expr):
    return not any(re.search(pattern, expr) for pattern in BY_NATURE)


def wanted(members, dashboards=None):
    """Whole panels of some dashboards, the members' own if none are given; and each selector of each rule of theirs."""
    pages = dashboards or {member.name: member.dashboard() for member in members}
    for name, dashboard in pages.items():
        for panel in dashboard.panels:
            yield f"{name}: panel {panel.title}", panel.expr
    for name, member in ((each.name, each) for each in members):
        for alert in member.alerts():
            for selector in SELECTOR.findall(alert.expr):
                yield f"{name}: {alert.name}", selector


async def eventually(look, seconds=180):
    """What is not yet as it should be, at the end."""
    for _ in range(seconds):
        try:
            left = await look()
        except KubeError as error:
            left = [str(error)]
        if not left:
            return []
        await asyncio.sleep(1)
    return left


async def series_are_there(cluster, platform):
    """Each panel has data, each selector of each rule finds series, and all rules are evaluated."""
    space, pages = platform.environment.namespace, dashboards_of(platform.components[0].scope)

    async def without():
        return [
            (what, expr)
            for what, expr in wanted(platform.components, pages)
            if expected(expr) and not await has_data(cluster, space, expr, numbers=": panel " in what)
        ]

    left = await eventually(without)
    assert left == [], left
    groups = (await ask(cluster, space, "/api/v1/rules"))["groups"]
    health = [rule for group in groups for rule in group["rules"]]
    told = {alert.name for member in platform.components for alert in member.alerts()}
    assert {rule["name"] for rule in health} - {RATIO} == told
    assert [rule["name"] for rule in health if rule["health"] != "ok"] == []


async def all_is_well(cluster, platform):
    """Each panel has data, each selector of each rule finds series, all rules are evaluated, and no alert waits."""
    await series_are_there(cluster, platform)
    space = platform.environment.namespace

    async def loud():
        return [
            f"{name}: {each['state']} {each['annotations']}"
            for name, each in (await alerts(cluster, space)).items()
            if name not in ALWAYS
        ]

    assert await eventually(loud) == []

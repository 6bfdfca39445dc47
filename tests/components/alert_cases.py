"""The series of an environment in which all is well, and what a fault makes of them: one case for each alert.

Those of a kind are in ``tests/components/alerts/<kind>.py``; those of services are here.
"""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING

from components.stack.catalogue import KINDS
from tests.components.alerts.model import Fault, fills, of, owner, up
from tests.components.conftest import read
from tests.components.model.values import IMAGE

if TYPE_CHECKING:
    from components.model.component import Component
    from components.model.observability import AlertRule

ENVIRONMENT = {"tier": "local", "namespace": "shop", "owners": ["platform"], "gateway": {"class": "of-the-shop"}}
INSTEAD = ("gateway", "envoy-gateway")
OF_KIND = {kind: import_module(f"tests.components.alerts.{kind.replace('-', '_')}") for kind in KINDS}
OF_SERVICES = dict(
    [
        up("shop"),
        of("shop", "http_requests_total", "0+100", code="200"),
        of("shop", "http_request_duration_seconds_bucket", "0+100", le="0.1"),
        of("shop", "http_request_duration_seconds_bucket", "0+100", le="1"),
        of("shop", "http_request_duration_seconds_bucket", "0+100", le="+Inf"),
        of("shop", "process_start_time_seconds", "1000+0"),
        of("shop", "process_resident_memory_bytes", "1000000+0"),
        of("shop", "process_open_fds", "10+0"),
        of("shop", "process_max_fds", "1000+0"),
        ('grayling_errors_drift{namespace="shop",instance_name="controller",name="shop",signal="errors"}', "0+0"),
    ]
)
WELL_SERIES = {**OF_SERVICES, **{name: values for kind in OF_KIND.values() for name, values in kind.WELL.items()}}
CASES: dict[str, list[Fault]] = {
    **{name: faults for kind in OF_KIND.values() for name, faults in kind.CASES.items()},
    "ShopDown": [
        Fault({'up{namespace="shop",instance_name="shop"': None}, owner("shop")),
        Fault({'up{namespace="shop",instance_name="shop"': "0+0"}),
    ],
    "ShopErrors": [
        Fault({'http_requests_total{namespace="shop",instance_name="shop",pod="shop-0",code="500"': "0+10"})
    ],
    "ShopLatency": [Fault({of("shop", "http_request_duration_seconds_bucket", "", le="0.1")[0]: "12000+0"})],
    "ShopCrashes": [Fault({"process_start_time_seconds": "1000+15"})],
    "ShopErrorsDrift": [Fault({"grayling_errors_drift": "1+0"})],
    "ShopMemoryFills": [fills("shop", "memory", {"process_resident_memory_bytes": "67000000+160000"})],
    "ShopFilesFill": [fills("shop", "files", {"process_open_fds": "500+1.2"})],
}


def apart(components):
    """The same, but of kinds of which a stack has one, each in a stack of its own."""
    yield {kind: each for kind, each in components.items() if kind != INSTEAD[1]}
    yield {kind: each for kind, each in components.items() if kind != INSTEAD[0]}


def platform():
    """Every kind, with all that has alerts, and a service of each sort."""
    signals = [
        {"name": "errors", "kind": "errors", "source": "pods"},
        {"name": "latency", "kind": "latency", "source": "pods", "threshold": "500ms"},
        {"name": "crashes", "kind": "crashes", "source": "kubernetes"},
    ]
    services = {"shop": {"image": IMAGE, "traffic": {}, "analysis": {"signals": signals}}}
    found = {}
    for components in apart({kind: module.COMPONENT for kind, module in OF_KIND.items()}):
        made = read(environment=ENVIRONMENT, components=components, services=services)
        found |= {member.name: member for member in made.components}
    return SimpleNamespace(components=tuple(found.values()))


def series(fault):
    """All series of a time with this fault in its second half, or of a quiet one (None)."""
    where, half = ({}, 120) if fault is None else (fault.where, fault.half)
    begun = [start for start in where if not any(each.startswith(start) for each in WELL_SERIES)]
    made = [(each, _values(each, well, where, half)) for each, well in WELL_SERIES.items()]
    return [*made, *((f"{start}}}", f"_x{half} {where[start]}x{half}") for start in begun)]


def _values(name, well, where, half):
    start = next((each for each in where if name.startswith(each)), None)
    if start is None:
        return f"{well}x{2 * half}"
    return f"{well}x{half} stale" if where[start] is None else f"{well}x{half} {where[start]}x{half}"


def alerts(found) -> dict[str, tuple[Component, AlertRule]]:
    """Alerts by name, with the component that yields them."""
    return {alert.name: (member, alert) for member in found.components for alert in member.alerts()}

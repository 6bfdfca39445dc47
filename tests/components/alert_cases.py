"""The series of an environment in which all is well, and what a fault makes of them: one case for each alert.

Those of a kind are in ``tests/components/alerts/<kind>.py``; those of services are here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from components.stack.catalogue import KINDS
from tests.components.alerts.model import Fault, of, owner, up
from tests.components.conftest import read
from tests.components.model.values import IMAGE

if TYPE_CHECKING:
    from components.model.component import Component
    from components.model.observability import AlertRule

WELL, FAULTY = 120, 120  # samples, one each quarter of a minute
OF_KIND = {kind: import_module(f"tests.components.alerts.{kind.replace('-', '_')}") for kind in KINDS}
OF_SERVICES = dict(
    [
        up("shop"),
        of("shop", "http_requests_total", "0+100", code="200"),
        of("shop", "http_request_duration_seconds_bucket", "0+100", le="0.1"),
        of("shop", "http_request_duration_seconds_bucket", "0+100", le="1"),
        of("shop", "http_request_duration_seconds_bucket", "0+100", le="+Inf"),
        of("shop", "process_start_time_seconds", "1000+0"),
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
}


def platform():
    """Every kind, with all that has alerts, and a service of each sort."""
    signals = [
        {"name": "errors", "kind": "errors", "source": "pods"},
        {"name": "latency", "kind": "latency", "source": "pods", "threshold": "500ms"},
        {"name": "crashes", "kind": "crashes", "source": "kubernetes"},
    ]
    return read(
        components={kind: module.COMPONENT for kind, module in OF_KIND.items()},
        services={"shop": {"image": IMAGE, "traffic": {}, "analysis": {"signals": signals}}},
    )


def series(fault):
    """All series of an hour with this fault in its second half, or of a quiet one (None)."""
    where = {} if fault is None else fault.where
    begun = [start for start in where if not any(each.startswith(start) for each in WELL_SERIES)]
    made = [(each, _values(each, well, where)) for each, well in WELL_SERIES.items()]
    return [*made, *((f"{start}}}", f"_x{WELL} {where[start]}x{FAULTY}") for start in begun)]


def _values(name, well, where):
    start = next((each for each in where if name.startswith(each)), None)
    if start is None:
        return f"{well}x{WELL + FAULTY}"
    return f"{well}x{WELL} stale" if where[start] is None else f"{well}x{WELL} {where[start]}x{FAULTY}"


def alerts(found) -> dict[str, tuple[Component, AlertRule]]:
    """Alerts by name, with the component that yields them."""
    return {alert.name: (member, alert) for member in found.components for alert in member.alerts()}

"""Where other services of the stack find a service, whatever revisions it has: a Service that never changes its name.

Where the stack has a gateway that carries the service's requests, it leads there: a release takes its share of these
requests too, judges them, and takes them back. Without one it leads to the ready pods of every revision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.endpoints import GATEWAYS
from components.workloads.baseline import service
from components.workloads.bindings import variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.model.component import Component
    from components.releases.service_settings import ServiceSettings
    from kube.kinds import Manifest

    Service = Component[ServiceSettings]


def carrier(of: Service) -> Component | None:
    """The gateway through which the stack's own services reach this one; None where they talk to its pods."""
    own, parent = of.settings, of.environment.gateway.parent
    plain = own.traffic is not None and own.port and own.routed is None and not own.traffic.matches
    if not plain or parent.section_name not in {None, "http"}:
        return None
    return next(iter(of.scope.gateways()), None)


def address(of: Service) -> Iterable[Manifest]:
    """One Service, and a second one for further ports where the first leads to the gateway."""
    gateway = carrier(of)
    if gateway is None:
        yield service(of)
        return
    made = service(of, GATEWAYS)
    made["spec"]["selector"] = gateway.speaker()
    for port in made["spec"]["ports"]:
        port["targetPort"] = gateway.endpoint("http").port  # by number: proxies need not name their ports as we do
    yield made
    if _more(of):
        yield service(of, name=_direct(of))


def reached_at(of: Service) -> Mapping[str, str]:
    """Variables for its users."""
    own = of.settings
    found = {variable(of.name, "URL"): f"http://{_host(of, of.name)}:{own.port}"} if own.port else {}
    behind = of.name if carrier(of) is None else _direct(of)
    for name, port in _more(of).items():
        found[variable(f"{of.name}-{name}", "ADDRESS")] = f"{_host(of, behind)}:{port}"
    return found


def _more(of: Service) -> dict[str, int]:
    return {each.name: each.port for each in of.settings.ports if each.used}


def _direct(of: Service) -> str:
    return f"{of.name}-direct"


def _host(of: Service, name: str) -> str:
    return f"{name}.{of.environment.namespace}.svc"

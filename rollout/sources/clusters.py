"""How a gateway's control plane names the clusters of its Envoys: which of them are a revision's, whatever their port.

Contour: `<namespace>_<service>_<port>`. Envoy Gateway, where routes to the same Service share a cluster
(`EnvoyProxy.spec.mergeBackends`, since 1.9): `service/<namespace>/<service>/<port>`, with the protocol behind it where
one is known. Without that it has one cluster for all backends of a rule, in which revisions cannot be told apart.

A backend with weight 0 has no cluster with Envoy Gateway, so that the engine's routes have a rule that keeps one for
each revision (:data:`rollout.drivers.httproute.route.KEEPER`).
"""

from __future__ import annotations

from dataclasses import dataclass

from rollout.api.sources import ControlPlane


@dataclass(frozen=True, slots=True)
class Naming:
    """One way to name clusters.

    Attributes:
        begin: of a Service's clusters, with places for its namespace and name.
        between: namespace, name and port.
        port: a pattern of what is behind the name.
    """

    begin: str
    between: str
    port: str

    def service(self, namespace: str, name: str) -> str:
        """What the clusters of a Service have in common."""
        return self.begin.format(namespace=namespace, name=name)

    def split(self, cluster: str) -> tuple[str, str]:
        """The Service as :meth:`service` names it, and its port; the port is empty where there is none."""
        parts = cluster.split(self.between)
        own = self.begin.count(self.between) + 1
        return self.between.join(parts[:own]), self.between.join(parts[own:])


CONTOUR = Naming("{namespace}_{name}", "_", r"_\d+")
ENVOY_GATEWAY = Naming("service/{namespace}/{name}", "/", r"/\d+(/[a-z0-9]+)?")
NAMINGS = {ControlPlane.CONTOUR: CONTOUR, ControlPlane.ENVOY_GATEWAY: ENVOY_GATEWAY}

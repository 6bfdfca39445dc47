"""The proxies of an Envoy Gateway, which its control plane makes: what their pods and their Service are like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.gateways.contour_settings import ENVOY_SIZES
from components.gateways.envoy_policies import API, access_log
from components.model.component import INSTANCE, PART_OF
from components.model.images import version
from components.model.pods import Container, Pod
from components.workloads.baseline import VERSION, pod_template

if TYPE_CHECKING:
    from components.gateways.envoy_settings import EnvoyGatewaySettings
    from components.model.component import Component
    from kube.kinds import Manifest

STATISTICS = (
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes/0"
)
"""The one route of the port for statistics: metrics for Prometheus. The engine needs the short page beside it."""

TAKEN = (
    "affinity",
    "topologySpreadConstraints",
    "nodeSelector",
    "tolerations",
    "priorityClassName",
    "imagePullSecrets",
)


def proxies(owner: Component[EnvoyGatewaySettings]) -> Manifest:
    """The EnvoyProxy that the Gateway names."""
    settings = owner.settings
    spec = {
        "mergeBackends": {},  # without it revisions share a cluster, and nobody could tell which one fails
        "logging": {"level": {"default": "warn"}},
        "shutdown": {"drainTimeout": f"{settings.drain_seconds}s", "minDrainDuration": "5s"},
        "telemetry": {"accessLog": access_log(settings)},
        "bootstrap": _bootstrap(),
        "provider": {"type": "Kubernetes", "kubernetes": {**_pods(owner), "envoyService": _service(owner)}},
    }
    return {"apiVersion": API, "kind": "EnvoyProxy", "metadata": {"name": owner.name}, "spec": spec}


def _bootstrap() -> Manifest:
    match = {"prefix": "/stats", "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]}
    return {"type": "JSONPatch", "jsonPatches": [{"op": "replace", "path": f"{STATISTICS}/match", "value": match}]}


def _pods(owner: Component[EnvoyGatewaySettings]) -> dict[str, Any]:
    settings, place = owner.settings, owner.environment
    image = place.image(settings.envoy_image)
    size = owner.sized(ENVOY_SIZES, settings.envoy_resources)
    template = pod_template(owner, Pod(containers=(Container("envoy", image, size),)), "envoy")
    pod = {key: template["spec"][key] for key in TAKEN if key in template["spec"]}
    pod["labels"] = {INSTANCE: owner.name, PART_OF: place.namespace, VERSION: version(image)}
    pod["annotations"] = template["metadata"]["annotations"]
    made = {
        "name": f"{owner.name}-envoy",
        "replicas": settings.envoy_replicas or place.profile.replicas,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "container": {"image": image, "resources": size.wire()},
        "pod": pod,
    }
    budget = {"name": f"{owner.name}-envoy", "maxUnavailable": 1}
    return {"envoyDeployment": made, "envoyPDB": budget, "envoyServiceAccount": {"name": f"{owner.name}-envoy"}}


def _service(owner: Component[EnvoyGatewaySettings]) -> dict[str, Any]:
    exposure = owner.settings.exposure
    made: dict[str, Any] = {"name": f"{owner.name}-envoy", "type": exposure.type}
    if exposure.annotations:
        made["annotations"] = dict(exposure.annotations)
    if exposure.http_node_port:
        ports = [{"port": 80, "protocol": "TCP", "nodePort": exposure.http_node_port}]
        made["patch"] = {"type": "StrategicMerge", "value": {"spec": {"ports": ports}}}
    return made

from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner

NAME = "envoy-gateway"
MODES = [
    {},
    {"rateLimits": [{"requests": 10}], "maxRequest": "1Mi", "retries": {}, "cors": {"origins": ["*"]}},
    {"exposure": {"type": "NodePort", "httpNodePort": 30080}, "tlsSecret": "certificate"},
]
COMPONENT = {}
WELL = dict(
    [
        of(NAME, "up", "1+0", component="controller"),
        of(NAME, "up", "1+0", "1", component="proxy"),
        of(NAME, "envoy_server_live", "1+0"),
        of(NAME, "envoy_control_plane_connected_state", "1+0"),
        of(NAME, "envoy_cluster_upstream_rq", "0+100", envoy_response_code="200"),
        of(NAME, "envoy_cluster_upstream_rq", "0+1", envoy_response_code="503"),
        of(NAME, "envoy_server_days_until_first_cert_expiring", "4294967295+0"),
    ]
)
_HERE = f'namespace="shop",instance_name="{NAME}"'
_CONTROL_PLANE = f'up{{{_HERE},pod="{NAME}-0"'
CASES = {
    "EnvoyGatewayDown": [
        Fault({f"envoy_server_live{{{_HERE}": None}, owner(NAME)),
        Fault({f"envoy_server_live{{{_HERE}": "0+0"}),
    ],
    "EnvoyGatewayControlPlaneDown": [
        Fault({_CONTROL_PLANE: None}, owner(NAME, component="controller")),
        Fault({_CONTROL_PLANE: "0+0"}),
    ],
    "EnvoyGatewayWithoutControlPlane": [Fault({"envoy_control_plane_connected_state": "0+0"})],
    "EnvoyGatewayErrors": [Fault({of(NAME, "envoy_cluster_upstream_rq", "", envoy_response_code="503")[0]: "9+30"})],
    "EnvoyGatewayCertificateEnds": [Fault({"envoy_server_days_until_first_cert_expiring": "13+0"}, half=480)],
}

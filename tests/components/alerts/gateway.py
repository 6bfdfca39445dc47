from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner

MODES = [{}, {"exposure": {"type": "NodePort", "httpNodePort": 30080}}]
COMPONENT = {}
WELL = dict(
    [
        of("gateway", "up", "1+0", component="contour"),
        of("gateway", "up", "1+0", "1", component="envoy"),
        of("gateway", "envoy_server_live", "1+0"),
        of("gateway", "envoy_cluster_manager_cds_control_plane_connected_state", "1+0"),
        of("gateway", "envoy_cluster_upstream_rq", "0+100", envoy_response_code="200"),
        of("gateway", "envoy_cluster_upstream_rq", "0+1", envoy_response_code="503"),
        of("gateway", "envoy_server_days_until_first_cert_expiring", "3650+0"),
    ]
)
CASES = {
    "GatewayDown": [
        Fault({"envoy_server_live": None}, owner("gateway")),
        Fault({"envoy_server_live": "0+0"}),
    ],
    "GatewayControlPlaneDown": [
        Fault(
            {'up{namespace="shop",instance_name="gateway",pod="gateway-0"': None}, owner("gateway", component="contour")
        ),
        Fault({'up{namespace="shop",instance_name="gateway",pod="gateway-0"': "0+0"}),
    ],
    "GatewayWithoutControlPlane": [Fault({"envoy_cluster_manager_cds_control_plane_connected_state": "0+0"})],
    "GatewayErrors": [Fault({of("gateway", "envoy_cluster_upstream_rq", "", envoy_response_code="503")[0]: "9+30"})],
    "GatewayCertificateEnds": [Fault({"envoy_server_days_until_first_cert_expiring": "13+0"}, half=480)],
}

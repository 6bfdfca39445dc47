from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner

MODES = [{}, {"members": 3}]
COMPONENT = {"members": 3}
WELL = dict(
    [
        *(of("consul", "up", "1+0", pod, component="") for pod in "012"),
        of("consul", "consul_server_isLeader", "1+0"),
        *(of("consul", "consul_server_isLeader", "0+0", pod) for pod in "12"),
        of("consul", "consul_autopilot_healthy", "1+0"),
        of("consul", "consul_autopilot_failure_tolerance", "1+0"),
    ]
)
SECOND = '{namespace="shop",instance_name="consul",pod="consul-1"'
CASES = {
    "ConsulDown": [
        Fault({'up{namespace="shop",instance_name="consul"': None}, owner("consul")),
        Fault({f"up{SECOND}": "0+0"}),
        Fault({f"up{SECOND}": None}),
    ],
    "ConsulNoLeader": [
        Fault({"consul_server_isLeader": "0+0"}),
        Fault({"consul_server_isLeader": None}, owner("consul")),
    ],
    "ConsulUnhealthy": [Fault({"consul_autopilot_healthy": "0+0"})],
    "ConsulNoSpareServer": [Fault({"consul_autopilot_failure_tolerance": "0+0"})],
}

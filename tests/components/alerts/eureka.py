from __future__ import annotations

from tests.components.alerts.model import Fault, of, one, owner
from tests.components.model.values import IMAGE

MODES = [{"image": IMAGE}, {"image": IMAGE, "replicas": 2}]
COMPONENT = {"image": IMAGE, "replicas": 2}
WELL = dict(
    [
        *(of("eureka", "up", "1+0", pod, component="") for pod in "01"),
        *(of("eureka", "eureka_server_peers_available", "1+0", pod) for pod in "01"),
        of("eureka", "eureka_server_renewals_last_minute", "20+0"),
        of("eureka", "eureka_server_renewals_threshold", "17+0"),
    ]
)
SECOND = '{namespace="shop",instance_name="eureka",pod="eureka-1"'
CASES = {
    "EurekaDown": [
        Fault({'up{namespace="shop",instance_name="eureka"': None}, owner("eureka")),
        Fault({f"up{SECOND}": "0+0"}),
        Fault({f"up{SECOND}": None}),
    ],
    "EurekaPeersMissing": [Fault({f"eureka_server_peers_available{SECOND}": "0+0"})],
    "EurekaRenewalsBelowThreshold": [Fault({"eureka_server_renewals_last_minute": "12+0"}, one("eureka"))],
}

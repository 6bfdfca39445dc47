from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner, up

COMPONENT = {}
MODES = [
    {},
    {
        "oidc": {
            "discoveryUrl": "https://id.example.com/.well-known/openid-configuration",
            "clientId": "nifi",
            "clientSecret": "nifi-login",
            "admin": "ann@example.com",
        }
    },
]
WELL = dict(
    [
        up("nifi"),
        of("nifi", "nifi_answers", "1+0"),
        of("nifi", "nifi_percent_used_count", "10+0", component_name="orders"),
        of("nifi", "nifi_percent_used_bytes", "10+0", component_name="orders", source_name="bytes"),
        of("nifi", "nifi_jvm_heap_usage", "0.5+0"),
    ]
)
CASES = {
    "NifiDown": [
        Fault({'up{namespace="shop",instance_name="nifi"': None}, owner("nifi")),
        Fault({'up{namespace="shop",instance_name="nifi"': "0+0"}),
        Fault({"nifi_answers": "0+0"}, owner("nifi", pod="nifi-0")),
    ],
    "NifiQueueFull": [
        Fault({"nifi_percent_used_count": "95+0"}, {"component_name": "orders"}),
        Fault({"nifi_percent_used_bytes": "95+0"}, {"component_name": "orders"}),
    ],
    "NifiHeapFull": [Fault({"nifi_jvm_heap_usage": "0.98+0"})],
}

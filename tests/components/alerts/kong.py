from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner, up

COMPONENT = {"routes": {"shop": {"to": {"camel": 1}}}}
MODES = [COMPONENT]
WELL = dict(
    [
        up("kong"),
        of("kong", "kong_http_requests_total", "0+100", service="shop", code="200", source="service"),
        of("kong", "kong_http_requests_total", "0+1", service="shop", code="500", source="service"),
        of("kong", "kong_http_requests_total", "3+0", service="shop", code="503", source="error"),
    ]
)
_FAILED = of("kong", "kong_http_requests_total", "", service="shop", code="500", source="service")[0]
_LOST = of("kong", "kong_http_requests_total", "", service="shop", code="503", source="error")[0]
CASES = {
    "KongDown": [
        Fault({'up{namespace="shop",instance_name="kong"': None}, owner("kong")),
        Fault({'up{namespace="shop",instance_name="kong"': "0+0"}),
    ],
    "KongErrors": [Fault({_FAILED: "120+30"})],
    "KongServiceUnreachable": [Fault({_LOST: "4+1"}, {"service": "shop"})],
}

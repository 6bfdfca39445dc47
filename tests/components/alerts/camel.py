from __future__ import annotations

from tests.components.alerts.model import Fault, of, one, owner, up
from tests.components.model.values import IMAGE

ROUTE = {"route": {"id": "a", "from": {"uri": "platform-http:/a", "steps": [{"to": "log:a"}]}}}
COMPONENT = {"image": IMAGE, "routes": {"a": [ROUTE]}, "deadLetters": {"to": "file:/var/dead"}}
MODES = [COMPONENT]
WELL = dict(
    [
        up("camel"),
        of("camel", "dead_letters_total", "5+0"),
        of("camel", "process_start_time_seconds", "1000+0"),
        of("camel", "camel_routes_running_routes", "3+0"),
        of("camel", "camel_routes_added_routes", "3+0"),
    ]
)
CASES = {
    "CamelDown": [
        Fault({'up{namespace="shop",instance_name="camel"': None}, owner("camel")),
        Fault({'up{namespace="shop",instance_name="camel"': "0+0"}),
    ],
    "CamelDeadLetters": [Fault({"dead_letters_total": "6+1"})],
    "CamelRouteStopped": [Fault({"camel_routes_running_routes": "2+0"}, one("camel"))],
    "CamelCrashes": [Fault({'process_start_time_seconds{namespace="shop",instance_name="camel"': "1000+15"})],
}

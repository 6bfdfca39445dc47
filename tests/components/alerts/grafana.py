from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner, up

MODES = [
    {},
    {"tls": {}},
    {"hostname": "dashboards.example.com"},
]
COMPONENT = {}
PAGES, ASKED = "grafana_http_request_duration_seconds_count", "grafana_datasource_request_total"
WELL = dict(
    [
        up("grafana"),
        of("grafana", PAGES, "0+100", status_code="200"),
        of("grafana", PAGES, "0+1", status_code="500"),
        of("grafana", ASKED, "0+50", datasource="prometheus", code="200"),
        of("grafana", ASKED, "0+5", datasource="prometheus", code="400"),
        of("grafana", ASKED, "7+0", datasource="prometheus", code="502"),
    ]
)
CASES = {
    "GrafanaDown": [
        Fault({'up{namespace="shop",instance_name="grafana"': None}, owner("grafana")),
        Fault({'up{namespace="shop",instance_name="grafana"': "0+0"}),
    ],
    "GrafanaRequestErrors": [Fault({of("grafana", PAGES, "", status_code="500")[0]: "120+50"})],
    "GrafanaSourceFails": [
        Fault({of("grafana", ASKED, "", datasource="prometheus", code="502")[0]: "7+2"}, {"datasource": "prometheus"})
    ],
}

from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner, up

MODES = [
    {"probes": {"shop": {"target": "https://shop.example.com"}}},
    {"probes": {"store": {"target": "tcp://db.example.com:5432"}}},
]
COMPONENT = {
    "probes": {"shop": {"target": "https://shop.example.com"}, "store": {"target": "tcp://db.example.com:5432"}}
}
ANSWERS, TAKES, ENDS = "probe_success", "probe_duration_seconds", "probe_ssl_earliest_cert_expiry"
MONTHS = 7_776_000
NAME = "blackbox-exporter"
WELL = dict(
    [
        up(NAME),
        *(of(NAME, ANSWERS, "1+0", probe=name) for name in ("shop", "store")),
        *(of(NAME, TAKES, "0.2+0", probe=name) for name in ("shop", "store")),
        of(NAME, ENDS, f"{MONTHS}+0", probe="shop"),
    ]
)
SHOP = {"probe": "shop"}
CASES = {
    "BlackboxExporterDown": [
        Fault({f'up{{namespace="shop",instance_name="{NAME}"': None}, owner(NAME)),
        Fault({f'up{{namespace="shop",instance_name="{NAME}"': "0+0"}),
    ],
    "ProbeFails": [Fault({of(NAME, ANSWERS, "", probe="shop")[0]: "0+0"}, SHOP)],
    "ProbeSlow": [Fault({of(NAME, TAKES, "", probe="shop")[0]: "3+0"}, SHOP)],
    "CertificateExpires": [Fault({ENDS: "86400+0"}, SHOP)],
}

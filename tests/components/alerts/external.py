from __future__ import annotations

from tests.components.alerts.model import Fault, of, one, owner

# A PostgreSQL with a page beside it: what a Keycloak needs is here, too.
COMPONENT = {
    "url": "postgresql://db.example.com/keycloak",
    "endpoints": {"page": "https://db.example.com"},
    "owner": "sap-team",
    "credentials": {"secret": "login"},
}
MODES = [COMPONENT, {**COMPONENT, "health": None}]
WELL = dict(
    [
        of("external", "up", "1+0", component="prober"),
        of("external", "external_up", "1+0", endpoint="main"),
        of("external", "external_latency_seconds", "0.2+0", endpoint="main"),
        of("external", "external_certificate_expires_timestamp_seconds", "5000000+0", endpoint="main"),
    ]
)
CASES = {
    "ExternalDown": [
        Fault({"external_up": "0+0"}, one("external", endpoint="main")),
        Fault({"external_up": None}, owner("external")),
    ],
    "ExternalSlow": [Fault({"external_latency_seconds": "3+0"}, one("external", endpoint="main"))],
    "ExternalCertificateExpires": [
        Fault({"external_certificate_expires_timestamp_seconds": "1500000+0"}, one("external", endpoint="main"))
    ],
}

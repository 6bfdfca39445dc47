"""What the Envoys of a gateway tell, whoever configures them: alerts and graphs that all gateways have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.observability import AlertRule, Dashboard, Panel, gone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.model.component import Component


DAYS = 14
"""What is renewed in time (cert-manager: 30 days before its end) is never so near to it."""


def proxy_alerts(gateway: Component, begin: str, control_plane: str, connected: str) -> Iterable[AlertRule]:
    """No proxy, no configuration, or answers that fail in bulk.

    Args:
        gateway: whose.
        begin: of the alerts' names.
        control_plane: the part that configures the proxies.
        connected: the gauge by which a proxy tells that it hears of it.
    """
    where, who = gateway.metrics_selector, f"{gateway.environment.namespace}/{gateway.name}"
    away = f"sum(envoy_server_live{{{where}}}) < 1 or absent(envoy_server_live{{{where}}})"
    yield AlertRule(f"{begin}Down", away, f"{who}: no proxy", "1m", "critical")
    yield gone(f"{begin}ControlPlaneDown", f'{where},component="{control_plane}"', f"{who}: no control plane")
    days = f"min(envoy_server_days_until_first_cert_expiring{{{where}}})"
    ends = f"{who}: a certificate that it serves, or its own, ends within {DAYS} days, and none came in its place"
    yield AlertRule(f"{begin}CertificateEnds", f"{days} < {DAYS}", ends, "1h")
    lost = f"min({connected}{{{where}}}) == 0"
    yield AlertRule(f"{begin}WithoutControlPlane", lost, f"{who}: a proxy gets no new configuration")
    failed = f'sum(rate(envoy_cluster_upstream_rq{{{where},envoy_response_code=~"5.."}}[5m]))'
    share = f"{failed} / sum(rate(envoy_cluster_upstream_rq{{{where}}}[5m]))"
    yield AlertRule(f"{begin}Errors", f"{share} > 0.05", f"{who}: over 5 % of answers fail")


def proxy_panels(gateway: Component, *more: Panel) -> Dashboard:
    """Requests by code, latency, connections, and ``more``."""
    where = gateway.metrics_selector
    codes = f"sum by (envoy_response_code) (rate(envoy_cluster_upstream_rq{{{where}}}[1m]))"
    slow = f"sum by (le) (rate(envoy_cluster_upstream_rq_time_bucket{{{where}}}[1m]))"
    return Dashboard(
        f"{gateway.environment.namespace} / {gateway.name}",
        (
            Panel("Answers by code", codes, "reqps"),
            Panel("99th percentile", f"histogram_quantile(0.99, {slow})", "ms"),
            Panel("Connections", f"sum(envoy_http_downstream_cx_active{{{where}}})"),
            *more,
        ),
    )

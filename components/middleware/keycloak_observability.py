"""How a Keycloak is watched: what somebody must hear of, and what its dashboard shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.observability import AlertRule, Panel

if TYPE_CHECKING:
    from collections.abc import Iterable

LOGINS = 'event=~"login|client_login|code_to_token|refresh_token"'


def alerts(who: str, own: str, replicas: int) -> Iterable[AlertRule]:
    """Gone, not ready, apart, failing, attacked, or short of connections and memory; ``own`` selects its series."""
    down = f"sum(up{{{own}}}) < {replicas} or absent(up{{{own}}})"
    yield AlertRule("KeycloakDown", down, f"{who}: fewer than {replicas} servers answer", "2m", "critical")
    probes = f'http_server_requests_seconds_count{{{own},uri="/health/ready",status="503"}}'
    unready = f"sum by (pod) (rate({probes}[1m])) > 0"
    yield AlertRule(
        "KeycloakNotReady", unready, f"{who}: a server runs and is not ready: its database", "3m", "critical"
    )
    if replicas > 1:
        apart = f"min(vendor_cluster_size{{{own}}}) < {replicas}"
        yield AlertRule("KeycloakMembersApart", apart, f"{who}: a server does not know all the others", "5m")
    wrong = f'http_server_requests_seconds_count{{{own},uri!~"/health.*",outcome="SERVER_ERROR"}}'
    yield AlertRule("KeycloakErrors", f"sum(rate({wrong}[2m])) > 0", f"{who} answers with errors of its own", "2m")
    every = f"sum(increase(keycloak_user_events_total{{{own},{LOGINS}}}[5m]))"
    failed = f'sum(increase(keycloak_user_events_total{{{own},{LOGINS},error!=""}}[5m]))'
    yield AlertRule(
        "KeycloakLoginFailures",
        f"{failed} > 20 and {failed} / {every} > 0.3",
        f"{who} refuses over 30 % of those who log in",
        "2m",
    )
    waits = f"max(agroal_awaiting_count{{{own}}}) > 0"
    yield AlertRule("KeycloakDatabaseWaits", waits, f"{who}: requests wait for a connection to the database", "2m")
    heap = f"max by (pod) (jvm_memory_usage_after_gc{{{own}}}) > 0.9"
    yield AlertRule("KeycloakMemoryHigh", heap, f"{who}: over 90 % of the heap stays in use", "10m")


def panels(own: str) -> tuple[Panel, ...]:
    """Logins, requests, members, database, memory."""
    requests = f'{own},uri!~"/health.*|/metrics"'
    took, count = (f"sum(rate(http_server_requests_seconds_{each}{{{requests}}}[5m]))" for each in ("sum", "count"))
    return (
        Panel("Logins and tokens", f"sum by (event, error) (rate(keycloak_user_events_total{{{own}}}[5m]))", "ops"),
        Panel("Requests", f"sum by (status) (rate(http_server_requests_seconds_count{{{requests}}}[5m]))", "reqps"),
        Panel("Time of a request", f"{took} / {count}", "s"),
        Panel("Connections to the database", f"sum by (pod) (agroal_active_count{{{own}}})"),
        Panel("Waiting for one", f"sum by (pod) (agroal_awaiting_count{{{own}}})"),
        Panel("Heap", f'sum by (pod) (jvm_memory_used_bytes{{{own},area="heap"}})', "bytes"),
    )

from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner

COMPONENT = {"replicas": 2, "database": {"external": "external"}}
MODES = [{"database": {"external": "external"}}, COMPONENT]
REQUESTS = "http_server_requests_seconds_count"


def server(metric, values, pod="0", **labels):
    """A series of one of the servers."""
    return of("keycloak", metric, values, f"server-{pod}", component="server", **labels)


WELL = dict(
    [
        *(server("up", "1+0", pod) for pod in "01"),
        *(server("vendor_cluster_size", "2+0", pod) for pod in "01"),
        server(REQUESTS, "0+100", uri="/realms/{realm}/protocol/{protocol}/token", outcome="SUCCESS", status="200"),
        server(REQUESTS, "0+10", uri="/health/ready", outcome="SUCCESS", status="200"),
        server("keycloak_user_events_total", "0+20", event="client_login", error=""),
        server("keycloak_user_events_total", "0+1", event="client_login", error="invalid_client_credentials"),
        server("agroal_awaiting_count", "0+0"),
        server("jvm_memory_usage_after_gc", "0.4+0"),
    ]
)
SECOND = '{namespace="shop",instance_name="keycloak",pod="keycloak-server-1"'
OWN = '{namespace="shop",instance_name="keycloak",pod="keycloak-server-0",component="server"'
CASES = {
    "KeycloakDown": [
        Fault({'up{namespace="shop",instance_name="keycloak"': None}, owner("keycloak")),
        Fault({f"up{SECOND}": "0+0"}),
        Fault({f"up{SECOND}": None}),
    ],
    "KeycloakNotReady": [
        Fault(
            {f'{REQUESTS}{OWN},uri="/health/ready",outcome="SERVER_ERROR",status="503"': "0+3"},
            {"pod": "keycloak-server-0"},
        )
    ],
    "KeycloakMembersApart": [Fault({f"vendor_cluster_size{SECOND}": "1+0"})],
    "KeycloakErrors": [Fault({f'{REQUESTS}{OWN},uri="/realms/{{realm}}",outcome="SERVER_ERROR",status="500"': "0+5"})],
    "KeycloakLoginFailures": [
        Fault({f'keycloak_user_events_total{OWN},event="client_login",error="invalid_client_credentials"': "240+20"})
    ],
    "KeycloakDatabaseWaits": [Fault({"agroal_awaiting_count": "3+0"})],
    "KeycloakMemoryHigh": [Fault({"jvm_memory_usage_after_gc": "0.95+0"}, {"pod": "keycloak-server-0"})],
}

"""What a Keycloak is made of, and what is said of settings that cannot be."""

from __future__ import annotations

import json

import pytest

from components.model.mistakes import StackError
from components.workloads.policy_rules import broken_rules
from tests.components.conftest import read
from tests.components.model.values import IMAGE

IDENTITY = {
    "kind": "external",
    "system": "database",
    "url": "postgresql://db.example.com/keycloak",
    "owner": "a",
    "credentials": {"secret": "login"},
    "health": None,
}
UNKNOWN = {key: value for key, value in IDENTITY.items() if key != "credentials"}
SHARED = {"database": {"external": "identity"}, "replicas": 2}


def declared(services=(), tier="local", identity=IDENTITY, **settings):
    """The issuer of a stack, and its objects by kind and name."""
    components = {"controller": {"image": IMAGE}, "keycloak": settings}
    platform = read(
        environment={"tier": tier, "namespace": "shop", "owners": ["a"]},
        components={**components, **({"identity": identity} if identity else {})},
        services={name: {"image": IMAGE, "uses": ["keycloak"]} for name in services},
    )
    (issuer,) = [each for each in platform.components if each.kind == "keycloak"]
    return issuer, {(each["kind"], each["metadata"]["name"]): each for each in platform.manifests()}


def pod(objects):
    return objects["StatefulSet", "keycloak-server"]["spec"]["template"]["spec"]


def env(container):
    return {each["name"]: each.get("value") for each in container["env"]}


def realm(objects):
    """What the Job is to make so, and its name."""
    (job,) = [each for kind, each in objects if kind == "Job"]
    (files,) = [each["data"] for (kind, name), each in objects.items() if kind == "ConfigMap" and "realm" in name]
    return json.loads(files["realm.json"]), job


@pytest.mark.parametrize(
    ("settings", "where", "said"),
    [
        ({"replicas": 2}, "keycloak", "replicas: a file is of one server; give a database, or leave replicas out"),
        ({"tier": "prod"}, "keycloak", "database: the tier prod needs one"),
        ({"tier": "staging"}, "keycloak", "name a component of kind external with a PostgreSQL"),
        ({"database": {"external": "controller"}}, "keycloak", "'controller' is no component of kind external"),
        ({"database": {"external": "nobody"}}, "keycloak", "'nobody' is no component of kind external"),
        ({**SHARED, "identity": UNKNOWN}, "keycloak", "has no credentials with the keys username and password"),
        ({**SHARED, "identity": {**IDENTITY, "url": "postgresql://db.example.com"}}, "keycloak", "has no database in"),
        ({**SHARED, "identity": {**IDENTITY, "url": "mysql://db.example.com/x"}}, "keycloak", "write postgresql://"),
        ({"realm": "master"}, "keycloak.realm", "is of Keycloak's administrators (found 'master'); take another name"),
        ({"clients": {"account": {}}}, "keycloak.clients", "account: is a client that every realm has"),
        ({"clients": {"x": {"roles": ["r"]}}}, "keycloak", "clients.x.roles: 'r' is no role of the realm"),
        ({"clients": {"x": {"public": True}}}, "keycloak.clients.x", "without a secret it has no tokens"),
        ({"clients": {"x": {"redirects": ["http://a.example.com"]}}}, "x.redirects.0", "is no address to come back to"),
        ({"clients": {"x": {"redirects": ["https://a.example.com/*/b"]}}}, "x.redirects.0", "a * may stand at its end"),
        ({"hostname": "http://id.example.com"}, "keycloak.hostname", "write it like https://id.example.com"),
        ({"hostname": "https://id.example.com/auth"}, "keycloak.hostname", "is no address of HTTPS without a path"),
        ({"services": ["broker"]}, "keycloak", "the service broker would be a client that every realm has"),
        (
            {"services": ["page"], "clients": {"page": {"public": True, "redirects": ["https://a.example.com"]}}},
            "keycloak",
            "clients.page.public: the service of this name gets a secret",
        ),
    ],
)
def test_what_cannot_be_is_said_with_its_place_and_the_way_out(settings, where, said):
    with pytest.raises(StackError) as told:
        declared(**settings)
    assert where in str(told.value)
    assert said in str(told.value)


def test_a_file_is_of_one_server_in_every_pod_that_holds_one():
    issuer, objects = declared()
    (claim,) = objects["StatefulSet", "keycloak-server"]["spec"]["volumeClaimTemplates"]
    (server,) = pod(objects)["containers"]
    assert (issuer.replicas, claim["metadata"]["name"]) == (1, "data")
    assert (env(server)["KC_DB"], env(server)["KC_CACHE"]) == ("dev-file", "local")


def test_servers_share_a_database_whose_certificate_is_checked():
    _, objects = declared(**SHARED)
    (server,) = pod(objects)["containers"]
    said = env(server)
    assert (said["KC_DB"], said["KC_CACHE"]) == ("postgres", "ispn")
    assert said["KC_DB_URL"].startswith(
        "jdbc:postgresql://db.example.com:5432/keycloak?sslmode=verify-full&sslfactory="
    )
    assert said["KC_DB_PASSWORD"] is None
    assert "volumeClaimTemplates" not in objects["StatefulSet", "keycloak-server"]["spec"]
    own = {"external": "identity", "authority": {"secret": "database-ca"}}
    _, objects = declared(database=own)
    (server,) = pod(objects)["containers"]
    assert env(server)["KC_DB_URL"].endswith("?sslmode=verify-full&sslrootcert=/run/database/ca.crt")
    assert {"name": "database", "mountPath": "/run/database"} in server["volumeMounts"]


def test_only_its_servers_reach_the_database_and_only_its_job_and_users_reach_it():
    _, objects = declared(("shop",), **SHARED, tls={})
    out = objects["NetworkPolicy", "keycloak-server"]["spec"]["egress"]
    assert [5432] in [[port["port"] for port in each["ports"]] for each in out]
    keeper = objects["NetworkPolicy", "keycloak-realm"]["spec"]
    assert "ingress" not in keeper
    assert [[port["port"] for port in each["ports"]] for each in keeper["egress"]] == [[8443]]
    parts = [
        each["from"][0]["podSelector"]["matchLabels"].get("app.kubernetes.io/component")
        for each in objects["NetworkPolicy", "keycloak-server"]["spec"]["ingress"]
    ]
    assert parts.count("server") == 1  # caches; the Job is among "its own pods", a user has no part
    assert set(parts) == {None, "server"}


def test_a_service_is_a_client_of_its_own_and_may_be_said_more_of():
    issuer, objects = declared(
        ("billing", "shop"), roles=["pay"], clients={"shop": {"roles": ["pay"], "audiences": ["bank"]}}, tls={}
    )
    said, _ = realm(objects)
    assert {name: (each["roles"], each["audiences"]) for name, each in said["clients"].items()} == {
        "billing": ([], []),
        "shop": (["pay"], ["bank"]),
    }
    assert ("Secret", "keycloak-shop-auth") in objects
    bound = issuer.binding("shop")
    assert bound["OIDC_ISSUER"] == "https://keycloak.shop.svc:8443/realms/shop"
    assert bound["OIDC_JWKS_URL"] == "https://keycloak.shop.svc:8443/realms/shop/protocol/openid-connect/certs"
    assert bound["OIDC_CLIENT_SECRET"].secret == "keycloak-shop-auth"


def test_a_public_client_has_no_secret_and_needs_pkce():
    _, objects = declared(clients={"page": {"public": True, "redirects": ["https://a.example.com/*"]}})
    said, _ = realm(objects)
    settings = said["clients"]["page"]["settings"]
    assert (settings["serviceAccountsEnabled"], settings["attributes"]) == (
        False,
        {"pkce.code.challenge.method": "S256"},
    )
    assert ("Secret", "keycloak-page-auth") not in objects


def test_what_changes_in_the_realm_is_another_job_and_the_same_servers():
    _, before = declared(("shop",))
    _, after = declared(("billing", "shop"))
    assert realm(before)[1] != realm(after)[1]
    assert before["StatefulSet", "keycloak-server"] == after["StatefulSet", "keycloak-server"]


def test_browsers_find_it_elsewhere_and_programs_where_it_is():
    issuer, objects = declared(hostname="https://id.example.com", tls={})
    bound = issuer.binding("shop")
    assert bound["OIDC_ISSUER"] == "https://id.example.com/realms/shop"
    assert bound["OIDC_TOKEN_URL"].startswith("https://keycloak.shop.svc:8443/")
    (server,) = pod(objects)["containers"]
    assert env(server)["KC_HOSTNAME"] == "https://id.example.com"
    assert env(server)["KC_HOSTNAME_BACKCHANNEL_DYNAMIC"] == "true"


@pytest.mark.parametrize("settings", [{}, {**SHARED, "tls": {}}])
def test_it_keeps_the_baseline(settings):
    _, objects = declared(**settings)
    own = [each for (_, name), each in objects.items() if name.startswith("keycloak")]
    assert [found for each in own for found in broken_rules(each)] == []

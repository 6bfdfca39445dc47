"""What an Envoy Gateway is told, and what a stack file may not say of it."""

from __future__ import annotations

import json

import pytest
import yaml

from components.gateways.envoy_policies import LOGGED
from components.model.mistakes import StackError
from tests.components.conftest import read
from tests.components.model.values import IMAGE

KEYS = json.dumps({"keys": [{"kty": "RSA", "kid": "one", "n": "AQAB", "e": "AQAB"}]})
JWT = {"name": "accounts", "issuer": "https://id.example.com", "audiences": ["shop"], "jwks": KEYS}
OWN = {"name": "accounts", "keycloak": "id", "audiences": ["shop"]}
PLACE = {"tier": "local", "namespace": "shop", "owners": ["platform"], "gateway": {"class": "envoy"}}
OIDC = {
    "issuer": "https://id.example.com",
    "clientId": "shop",
    "clientSecret": "login",
    "redirectUrl": "https://shop.example.com/back",
}


def stack(settings=(), environment=PLACE, **sections):
    components = {"gateway": {"kind": "envoy-gateway", **dict(settings)}, **sections.pop("components", {})}
    return read(environment=environment, components=components, **sections)


def objects(settings=(), **sections):
    return {(each["kind"], each["metadata"]["name"]): each for each in stack(settings, **sections).manifests()}


def spec(kind, settings):
    return objects(settings)[kind, "gateway"]["spec"]


MISTAKES = {
    "the class of the other": ({}, {**PLACE, "gateway": {}}, "the GatewayClass would be called 'contour'"),
    "two places of keys": ({"jwt": [{**JWT, "jwksUri": "https://id.example.com/keys"}]}, PLACE, "not both"),
    "no place of keys": ({"jwt": [{**JWT, "jwks": None}]}, PLACE, "jwksUri: give the place of the keys"),
    "keys that are none": ({"jwt": [{**JWT, "jwks": "{}"}]}, PLACE, "is no set of keys"),
    "no keys": ({"jwt": [{**JWT, "jwks": '{"keys": []}'}]}, PLACE, "has no keys"),
    "secret keys": ({"jwt": [{**JWT, "jwks": '{"keys": [{"kty": "RSA", "d": "x"}]}'}]}, PLACE, "secret parts of keys"),
    "keys in the clear": ({"jwt": [{**JWT, "jwks": None, "jwksUri": "http://id"}]}, PLACE, "is no address of HTTPS"),
    "two issuers in one": ({"jwt": [{**JWT, "keycloak": "id"}]}, PLACE, "keycloak: says issuer and keys itself"),
    "no issuer": ({"jwt": [{**JWT, "issuer": None}]}, PLACE, "jwt.0.issuer"),
    "an issuer that is none": ({"jwt": [OWN]}, PLACE, "jwt.0.keycloak: 'id' is no component of kind keycloak"),
    "for nobody": ({"jwt": [{**JWT, "audiences": []}]}, PLACE, "audiences"),
    "the same name twice": ({"jwt": [JWT, JWT]}, PLACE, "'accounts' is there twice"),
    "everybody as everybody": ({"cors": {"origins": ["*"], "credentials": True}}, PLACE, "name the origins"),
    "no origin": ({"cors": {"origins": ["shop.example.com/x"]}}, PLACE, "is no origin"),
    "a session in the clear": ({"oidc": OIDC}, PLACE, "give tlsSecret too"),
    "no header": ({"rateLimits": [{"requests": 1, "header": "X Key"}]}, PLACE, "is no name of a header"),
    "a header that is code": ({"retries": {"idempotencyHeader": 'a") os.exit()'}}, PLACE, "is no name of a header"),
    "a field that is a format": ({"loggedQuery": ["a)%%REQ(COOKIE"]}, PLACE, "is no name of a query field"),
    "nothing may come": ({"maxRequest": "0"}, PLACE, "maxRequest"),
    "no such version": ({"tlsMinVersion": "1.0"}, PLACE, "tlsMinVersion"),
    "an issuer without a place": ({"tlsIssuer": {"name": "letters"}}, PLACE, "name it with tlsSecret"),
    "every namespace": ({"namespaces": ["all"]}, PLACE, "name the namespaces"),
    "no node port": ({"exposure": {"type": "ClusterIP", "httpNodePort": 30080}}, PLACE, "has no node port"),
}


@pytest.mark.parametrize(("settings", "environment", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place(settings, environment, problem):
    with pytest.raises(StackError) as caught:
        stack(settings, environment)
    assert "grayling:components.gateway" in str(caught.value)
    assert problem in str(caught.value)
    assert '"d"' not in str(caught.value)


def test_a_stack_has_one_gateway_of_either_kind():
    with pytest.raises(StackError, match="a stack has one gateway, and"):
        stack(components={"other": {"kind": "gateway"}})


def test_a_listener_that_is_named_has_to_be_there():
    place = {**PLACE, "gateway": {"class": "envoy", "parent": {"name": "gateway", "sectionName": "https"}}}
    with pytest.raises(StackError, match="give 'gateway' a tlsSecret"):
        stack(environment=place)


def test_without_rules_there_are_no_policies():
    kinds = {kind for kind, _ in objects()}
    assert kinds.isdisjoint({"SecurityPolicy", "BackendTrafficPolicy", "ClientTrafficPolicy", "EnvoyExtensionPolicy"})


def test_every_rule_is_for_the_whole_gateway():
    settings = {
        "jwt": [JWT],
        "rateLimits": [{"requests": 5, "per": "hour", "header": "X-Key"}],
        "maxRequest": "1Mi",
        "retries": {},
        "tlsSecret": "certificate",
    }
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gateway"}
    for kind in ("SecurityPolicy", "BackendTrafficPolicy", "ClientTrafficPolicy", "EnvoyExtensionPolicy"):
        assert spec(kind, settings)["targetRefs"] == [target]


def test_old_tls_is_refused_unless_it_is_allowed():
    assert spec("ClientTrafficPolicy", {"tlsSecret": "certificate"})["tls"] == {"minVersion": "1.3"}
    older = {"tlsSecret": "certificate", "tlsMinVersion": "1.2"}
    assert spec("ClientTrafficPolicy", older)["tls"] == {"minVersion": "1.2"}


def test_the_log_has_no_query_and_no_secrets():
    def fields(settings):
        (log,) = spec("EnvoyProxy", settings)["telemetry"]["accessLog"]["settings"]
        return log["format"]["json"]

    assert fields({}) == LOGGED
    written = " ".join(fields({"loggedQuery": ["page"]}).values()).upper()
    assert "%QUERY_PARAM(PAGE)%" in written
    for word in ("COOKIE", "AUTHORIZATION", "%REQ(:PATH", "%PATH(", "?:PATH)%".replace("?:", "REQ(X?")):
        assert word not in written
    assert spec("EnvoyProxy", {"accessLog": False})["telemetry"]["accessLog"] == {"disable": True}


def test_a_retry_depends_on_the_request_and_lua_is_off_without():
    (script,) = spec("EnvoyExtensionPolicy", {"retries": {"attempts": 3, "idempotencyHeader": "X-Once"}})["lua"]
    for part in ("GET = true", "DELETE = true", '"x-once"', '"x-envoy-max-retries", "3"'):
        assert part in script["inline"]
    assert "POST" not in script["inline"]

    def lua(settings):
        made = objects(settings)["ConfigMap", "gateway-controller"]["data"]["envoy-gateway.yaml"]
        return yaml.safe_load(made).get("extensionApis", {}).get("enableLua")

    assert (lua({}), lua({"retries": {}})) == (None, True)


def test_releases_are_judged_by_its_own_names():
    found = objects(services={"orders": {"image": IMAGE, "traffic": {}}})
    stats = found["GrayRelease", "orders"]["spec"]["sources"]["gateway"]
    assert (stats["controlPlane"], stats["port"], stats["path"]) == ("envoy-gateway", 19001, "/stats")
    assert stats["selector"] == {
        "gateway.envoyproxy.io/owning-gateway-name": "gateway",
        "gateway.envoyproxy.io/owning-gateway-namespace": "shop",
    }
    proxies = found["EnvoyProxy", "gateway"]["spec"]
    assert proxies["mergeBackends"] == {}
    (change,) = proxies["bootstrap"]["jsonPatches"]
    assert (change["op"], change["value"]["prefix"]) == ("replace", "/stats")


def test_who_uses_a_service_reaches_it_at_the_port_of_the_proxies():
    services = {
        "orders": {"image": IMAGE, "traffic": {}},
        "shop": {"image": IMAGE, "port": None, "uses": ["orders"]},
    }
    found = objects(services=services)
    (port,) = found["Service", "orders"]["spec"]["ports"]
    assert port["targetPort"] == 10080
    assert found["Service", "orders"]["spec"]["selector"] == stack().components[1].speaker()


def test_each_environment_has_a_controller_of_its_own_name():
    assert objects()["GatewayClass", "envoy"]["spec"] == {"controllerName": "gateway.envoyproxy.io/shop"}


def test_it_reads_no_secrets_but_where_it_carries_routes():
    found = objects({"namespaces": ["team-b"]})
    everywhere = found["ClusterRole", "shop-gateway-controller"]["rules"]
    assert not [rule for rule in everywhere if "secrets" in rule["resources"]]
    guest = found["Role", "shop-gateway-controller"]
    assert guest["metadata"]["namespace"] == "team-b"
    writing = [rule for rule in guest["rules"] if {"create", "patch", "delete"} & set(rule["verbs"])]
    assert writing == []


@pytest.mark.parametrize("kind", ["gateway", "envoy-gateway"])
def test_an_issuer_makes_the_certificate_for_all_names_of_services(kind):
    services = {
        "orders": {"image": IMAGE, "traffic": {"hostnames": ["orders.example.com", "shop.example.com"]}},
        "billing": {"image": IMAGE, "traffic": {}},
        "hidden": {"image": IMAGE},
    }
    settings = {"kind": kind, "tlsSecret": "front", "tlsIssuer": {"name": "letters"}}
    (made,) = (each for key, each in objects(settings, services=services).items() if key[0] == "Certificate")
    assert made["metadata"]["name"] == made["spec"]["secretName"] == "front"
    assert made["spec"]["issuerRef"] == {"group": "cert-manager.io", "kind": "Issuer", "name": "letters"}
    assert made["spec"]["dnsNames"] == ["billing.local", "orders.example.com", "shop.example.com"]
    (alone,) = (each for key, each in objects(settings).items() if key[0] == "Certificate")
    assert alone["spec"]["dnsNames"] == ["*.local"]


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_an_issuer_makes_the_certificate_of_a_store(kind):
    found = {
        (each["kind"], each["metadata"]["name"]): each
        for each in read(components={kind: {"tls": {"issuer": {"name": "letters"}}}}).manifests()
    }
    made = found["Certificate", f"{kind}-tls"]["spec"]
    assert f"{kind}.shop.svc" in made["dnsNames"]
    assert ("Secret", f"{kind}-tls") not in found


def test_secrets_that_it_reads_are_looked_for():
    (gateway,) = (each for each in stack({"tlsSecret": "c", "oidc": OIDC}).components if each.kind == "envoy-gateway")
    assert gateway.needs_secrets() == {
        "tlsSecret": ("c", ("tls.crt", "tls.key")),
        "oidc.clientSecret": ("login", ("client-secret",)),
    }


def with_issuer(**settings):
    return objects({"jwt": [OWN]}, components={"id": {"kind": "keycloak", **settings}})


def test_an_issuer_of_the_stack_says_its_name_its_keys_and_whom_to_trust():
    made = with_issuer(tls={})
    (provider,) = made["SecurityPolicy", "gateway"]["spec"]["jwt"]["providers"]
    here = "https://id.shop.svc:8443/realms/shop"
    keys = {"uri": f"{here}/protocol/openid-connect/certs", "backendRefs": [{"name": "id", "port": 8443}]}
    assert provider == {"name": "accounts", "issuer": here, "audiences": ["shop"], "remoteJWKS": keys}
    said = made["BackendTLSPolicy", "gateway-id"]["spec"]
    assert said["targetRefs"] == [{"group": "", "kind": "Service", "name": "id"}]
    whom = [{"group": "", "kind": "Secret", "name": "id-tls"}]
    assert said["validation"] == {"caCertificateRefs": whom, "hostname": "id.shop.svc"}


def test_proxies_reach_the_issuer_and_are_no_client_of_it():
    made = with_issuer(tls={})
    proxies = made["NetworkPolicy", "gateway-envoy"]["spec"]["egress"]
    assert [8443] in [[port["port"] for port in each.get("ports", ())] for each in proxies]
    let_in = made["NetworkPolicy", "id-server"]["spec"]["ingress"]
    assert any("owning-gateway-name" in json.dumps(each["from"]) for each in let_in if "from" in each)
    assert ("Secret", "id-gateway-auth") not in made


def test_keys_in_the_clear_are_not_taken_from_an_issuer_of_the_stack():
    with pytest.raises(StackError) as told:
        with_issuer()
    assert "jwt.0.keycloak: id shows its keys in the clear; give it tls: {}" in str(told.value)

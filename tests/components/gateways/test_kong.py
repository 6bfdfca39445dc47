"""What a Kong is told, and what a stack file may not say of it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from components.model.mistakes import StackError
from components.model.profiles import Tier
from tests.components import kind_examples
from tests.components.conftest import read
from tests.components.model.values import IMAGE

GOLDEN = Path(__file__).with_name("kong.golden.yml")
ROUTES = {"orders": {"to": {"orders": 1}}}
SERVICES = {"orders": {"image": IMAGE}}


def jwk(private):
    """The public half, as an issuer shows it."""
    numbers = private.public_key().public_numbers()
    if isinstance(private, rsa.RSAPrivateKey):
        return {"kty": "RSA", "n": letters(numbers.n), "e": letters(numbers.e)}
    return {"kty": "EC", "crv": "P-384", "x": letters(numbers.x), "y": letters(numbers.y)}


def letters(number):
    raw = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


RSA_KEY, EC_KEY = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())
KEYS = json.dumps({"keys": [jwk(RSA_KEY)]})
ISSUER = {"name": "accounts", "issuer": "https://id.example.com", "jwks": KEYS}


def stack(settings=(), services=SERVICES, **components):
    return read(components={"kong": {"routes": ROUTES, **dict(settings)}, **components}, services=services)


def objects(settings=(), services=SERVICES, **components):
    found = stack(settings, services, **components).manifests()
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def declared(settings=(), services=SERVICES, **components):
    return yaml.safe_load(objects(settings, services, **components)["ConfigMap", "kong-config"]["data"]["kong.yml"])


def plugins(settings):
    return {each["name"]: each["config"] for each in declared(settings)["plugins"]}


def said(settings=()):
    (container,) = objects(settings)["Deployment", "kong"]["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def keys(**more):
    return json.dumps({"keys": [{**jwk(RSA_KEY), **more}]})


ELSEWHERE = "use the kind envoy-gateway for it"
MISTAKES = {
    "a login": ({"oidc": {}}, f"oidc: Kong's free edition sends nobody to log in; {ELSEWHERE}"),
    "retries": ({"retries": {"attempts": 2}}, f"sends nothing twice; {ELSEWHERE}"),
    "hops": ({"trustedHops": 1}, "name them in trustedProxies"),
    "guests": ({"namespaces": ["team-b"]}, f"its own stack alone; {ELSEWHERE}"),
    "audiences": ({"jwt": [{**ISSUER, "audiences": ["shop"]}]}, "audiences: Kong's plugin checks no audience"),
    "keys elsewhere": ({"jwt": [{"name": "a", "issuer": "b", "jwksUri": "https://c"}]}, "fetches no keys"),
    "claims": ({"jwt": [{**ISSUER, "claims": {"X-User": "sub"}}]}, "hands no claims on"),
    "no keys": ({"jwt": [{**ISSUER, "jwks": "{}"}]}, "jwks: is no set of keys"),
    "two keys": ({"jwt": [{**ISSUER, "jwks": json.dumps({"keys": [jwk(RSA_KEY)] * 2})}]}, "has several keys"),
    "a secret key": ({"jwt": [{**ISSUER, "jwks": keys(d="geheim")}]}, "secret parts of keys"),
    "a sort of key": ({"jwt": [{**ISSUER, "jwks": keys(kty="oct")}]}, "neither RSA nor EC"),
    "an algorithm": ({"jwt": [{**ISSUER, "jwks": keys(alg="HS256")}]}, "Kong has RS256, RS384"),
    "half a key": ({"jwt": [{**ISSUER, "jwks": keys(n="")}]}, "has a key that is none"),
    "a part of another sort": ({"jwt": [{**ISSUER, "jwks": keys(n=[1])}]}, "has a key that is none"),
    "an issuer twice": ({"jwt": [ISSUER, {**ISSUER, "name": "other"}]}, "1.issuer: 'https://id.example.com' is there"),
    "a name twice": ({"jwt": [ISSUER, {**ISSUER, "issuer": "other"}]}, "1.name: 'accounts' is there twice"),
    "two headers": (
        {"rateLimits": [{"requests": 1, "header": "X-A"}, {"requests": 9, "per": "hour"}]},
        "counts all of them by one header",
    ),
    "two for one span": ({"rateLimits": [{"requests": 1}, {"requests": 2}]}, "one limit for each span of time"),
    "less in more time": (
        {"rateLimits": [{"requests": 5}, {"requests": 2, "per": "hour"}]},
        "a longer span of time cannot allow less",
    ),
    "everybody as everybody": ({"cors": {"origins": ["*"], "credentials": True}}, "name the origins"),
    "a field that is code": ({"loggedQuery": ["a'; x"]}, "cannot be logged by nginx"),
    "an issuer without a place": ({"tlsIssuer": {"name": "letters"}}, "name it with tlsSecret"),
    "no node port": ({"exposure": {"type": "ClusterIP", "httpNodePort": 30080}}, "has no node port"),
    "nowhere": ({"routes": {}}, "routes"),
    "to nobody": ({"routes": {"a": {"to": {}}}}, "routes.a.to"),
    "no service": (
        {"routes": {"a": {"to": {"order": 1}}}},
        "routes.a.to.order: is no service of this stack; did you mean 'orders'",
    ),
    "itself": ({"routes": {"a": {"to": {"kong": 1}}}}, "routes.a.to.kong: is no service of this stack"),
}


@pytest.mark.parametrize(("settings", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place(settings, problem):
    with pytest.raises(StackError) as caught:
        stack(settings)
    assert "grayling:components.kong" in str(caught.value)
    assert problem in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_service_without_http_is_refused():
    silent = {"orders": {"image": IMAGE, "port": None}}
    with pytest.raises(StackError, match=r"routes\.orders\.to\.orders: the service has no port for HTTP"):
        stack(services=silent)


def test_a_release_that_kong_would_get_round_is_refused_by_name():
    moved = {"orders": {"image": IMAGE, "traffic": {}}}
    with pytest.raises(StackError, match="releases of orders move weights of HTTPRoutes, which Kong does not read"):
        stack(services=moved)
    chosen = {"orders": {"image": IMAGE, "traffic": {"matches": [{"path": {"type": "Exact", "value": "/a"}}]}}}
    with pytest.raises(StackError, match="releases of orders move weights"):
        stack(services=chosen, gateway={})


def test_behind_a_gateway_that_carries_them_its_requests_take_part_in_releases():
    found = objects(services={"orders": {"image": IMAGE, "traffic": {}}}, gateway={})
    assert found["Service", "orders"]["spec"]["selector"]["app.kubernetes.io/name"] == "gateway"
    out = found["NetworkPolicy", "kong"]["spec"]["egress"]
    assert [rule["ports"][0]["port"] for rule in out] == [8080]
    names = found["GrayRelease", "orders"]["spec"]["traffic"]["hostnames"]
    assert "orders.shop.svc" in names


def test_a_key_is_told_in_the_form_that_kong_reads():
    for private, algorithm in ((RSA_KEY, "RS256"), (EC_KEY, "ES384")):
        issuer = {**ISSUER, "jwks": json.dumps({"keys": [jwk(private)]})}
        (consumer,) = declared({"jwt": [issuer]})["consumers"]
        (secret,) = consumer["jwt_secrets"]
        assert (secret["key"], secret["algorithm"]) == ("https://id.example.com", algorithm)
        told = load_pem_public_key(secret["rsa_public_key"].encode())
        assert told.public_numbers() == private.public_key().public_numbers()
    assert plugins({"jwt": [ISSUER]})["jwt"]["claims_to_verify"] == ["exp", "nbf"]


def test_several_services_share_by_weight():
    services = {**SERVICES, "orders-next": {"image": IMAGE}}
    made = declared({"routes": {"orders": {"to": {"orders": 9, "orders-next": 1}}}}, services)
    (service,), (split,) = made["services"], made["upstreams"]
    assert service["host"] == split["name"] == "orders"
    assert split["targets"] == [
        {"target": "orders.shop.svc:8080", "weight": 9},
        {"target": "orders-next.shop.svc:8080", "weight": 1},
    ]


def test_an_origin_with_a_star_is_an_expression_that_matches_whole_names():
    (plain, starred) = plugins({"cors": {"origins": ["https://a.example.com", "https://*.example.com"]}})["cors"][
        "origins"
    ]
    assert plain == "https://a.example.com"
    assert starred == r"https://[A-Za-z0-9.-]+\.example\.com"


def test_limits_are_counted_for_all_or_by_a_header():
    limits = [{"requests": 5}, {"requests": 50, "per": "hour"}]
    assert (
        plugins({"rateLimits": limits})["rate-limiting"] | {"second": 5, "hour": 50, "limit_by": "service"}
        == (plugins({"rateLimits": limits})["rate-limiting"])
    )
    by_key = plugins({"rateLimits": [{"requests": 5, "header": "X-Key"}]})["rate-limiting"]
    assert (by_key["limit_by"], by_key["header_name"]) == ("header", "X-Key")


def test_nobody_changes_it_from_outside_and_old_tls_is_refused():
    own = said({"tlsSecret": "certificate"})
    assert (own["KONG_ADMIN_LISTEN"], own["KONG_DATABASE"], own["KONG_ANONYMOUS_REPORTS"]) == ("off", "off", "off")
    assert own["KONG_SSL_CIPHER_SUITE"] == "modern"
    assert said({"tlsSecret": "certificate", "tlsMinVersion": "1.2"})["KONG_SSL_CIPHER_SUITE"] == "intermediate"
    assert "8443" not in said()["KONG_PROXY_LISTEN"]
    assert "https" not in [each["name"] for each in objects()["Service", "kong"]["spec"]["ports"]]


def test_the_log_has_no_query_and_no_secrets():
    written = objects({"loggedQuery": ["page"]})["ConfigMap", "kong-config"]["data"]["log.conf"]
    assert '"query_page":"$arg_page"' in written
    for word in ("$args", "$query_string", "$http_", "$cookie", "$request_uri'", '"$request_uri"', "$request_body"):
        assert word not in written
    assert said({"accessLog": False})["KONG_PROXY_ACCESS_LOG"] == "off"
    assert said({"maxRequest": "2Mi"})["KONG_NGINX_HTTP_CLIENT_MAX_BODY_SIZE"] == str(2 * 1024 * 1024)


def test_its_file_is_as_it_was():
    """After a change that is meant: GOLDEN=write, and read the diff."""
    found = kind_examples.declared("kong", "production").manifests()
    (files,) = [each["data"] for each in found if each["metadata"]["name"] == "kong-config"]
    text = f"{files['kong.yml']}---\n{json.dumps(files['log.conf'])}\n"
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


@pytest.mark.parametrize("tier", [each.value for each in Tier])
def test_it_is_rendered_in_every_tier(tier):
    found = kind_examples.declared("kong", "production", tier=tier).manifests()
    (made,) = [each for each in found if each["kind"] == "Deployment"]
    assert made["spec"]["replicas"] == 3

"""What is right alone and wrong beside the rest, and what a service gets by using the rest."""

from __future__ import annotations

import pytest

from tests.components.accepted import refusals
from tests.components.conftest import read, small
from tests.components.model.values import IMAGE, of, pod, said


def env(platform, name="a"):
    return {each["name"]: each for each in pod(platform, name)["containers"][0].get("env", ())}


def services(**uses):
    return {name: {"image": IMAGE, **settings} for name, settings in uses.items()}


def gateway(**changed):
    return {**small()["environment"], "gateway": {"parent": {"name": "gateway", **changed}}}


CONFLICTS = [
    ({"services": services(a={"uses": ["a"]})}, "services.a.uses.0: is the service itself (found 'a'); leave it out"),
    ({"services": services(a={"uses": ["b", "b"]}, b={})}, "services.a.uses.1: is there twice (found 'b')"),
    ({"services": services(a={"uses": ["c"]}, b={})}, "services.a.uses.0: no such component in this stack (found 'c')"),
    (
        {"services": services(a={"uses": ["b"]}, b={"port": None})},
        "services.a.uses.0: has no port that a service could talk to (found 'b'); give it a port, or leave it out",
    ),
    (
        {
            "services": services(a={"uses": ["engine"]}),
            "components": {"engine": {"kind": "controller", "image": IMAGE}},
        },
        "services.a.uses.0: has no port that a service could talk to (found 'engine'); leave it out",
    ),
    (
        {"services": services(a={"uses": ["payment"]}), "secrets": {"payment": {"token": "x"}}},
        "services.a.uses.0: is a Secret, no component (found 'payment'); name it in env: {VARIABLE: {secret: payment",
    ),
    (
        {
            "services": services(a={"env": {"T": {"secret": "payment", "key": "tokn"}}}),
            "secrets": {"payment": {"token": "x"}},
        },
        "services.a.env.T.key: Secret payment has no such key (found 'tokn'); did you mean 'token'?",
    ),
    (
        {
            "services": services(a={"init": [{"name": "i", "env": {"T": {"secret": "p", "key": "b"}}}]}),
            "secrets": {"p": {"a": "x"}},
        },
        "services.a.init.0.env.T.key: Secret p has no such key (found 'b')",
    ),
    (
        {"services": services(a={"uses": ["redis"], "env": {"REDIS_URL": "x"}}), "components": {"redis": {}}},
        "services.a.env: REDIS_URL is there by what the service uses; leave it out, or give it another name",
    ),
    (
        {
            "services": services(a={"uses": ["amqp", "rabbitmq"]}),
            "components": {"amqp": {"kind": "redis"}, "rabbitmq": {}, "redis": {}},
        },
        None,
    ),
    (
        {"services": services(a={"uses": ["redis", "redis-b"]}), "components": {"redis": {}}},
        "services.a.uses.1: no such component in this stack (found 'redis-b')",
    ),
    (
        {
            "services": services(
                a={"traffic": {"hostnames": ["x.example.com"]}}, b={"traffic": {"hostnames": ["x.example.com"]}}
            )
        },
        "services.b.traffic.hostnames: 'a' is reached by the same requests (found 'x.example.com')",
    ),
    (
        {"services": services(a={"traffic": {"hostnames": ["x.example.com", "x.example.com"]}})},
        "services.a.traffic.hostnames: is there twice (found 'x.example.com'); once is enough",
    ),
    *(
        (
            {
                "services": services(
                    a={"traffic": {"hostnames": ["x.example.com"], "matches": [first]}},
                    b={"traffic": {"hostnames": ["x.example.com"], "matches": [second]}},
                )
            },
            "services.b.traffic.hostnames: 'a' is reached by the same requests (found 'x.example.com')",
        )
        for first, second in (
            ({}, {"path": {"value": "/", "type": "PathPrefix"}}),
            ({"path": {"value": "/a"}}, {"path": {"value": "/a/"}}),
            (
                {"headers": [{"name": "A", "value": "x"}, {"name": "B", "value": "y"}]},
                {"headers": [{"name": "b", "value": "y", "type": "Exact"}, {"name": "a", "value": "x"}]},
            ),
        )
    ),
    (
        {
            "services": services(
                a={
                    "traffic": {"hostnames": ["x.example.com"], "matches": [{"path": {"value": "/a", "type": "Exact"}}]}
                },
                b={
                    "traffic": {
                        "hostnames": ["x.example.com"],
                        "matches": [{"path": {"value": "/a/", "type": "Exact"}}],
                    }
                },
            )
        },
        None,
    ),
    (
        {"services": {"gateway-envoy": {"image": IMAGE}}, "components": {"gateway": {}}},
        "services.gateway-envoy: ServiceAccount 'gateway-envoy' is declared by 'gateway' too; rename one of the two",
    ),
    (
        {"services": services(a={"traffic": {}}, b={"traffic": {"hostnames": ["a.local"]}})},
        "services.b.traffic.hostnames: 'a' is reached by the same requests (found 'a.local')",
    ),
    (
        {"environment": gateway(namespace="other"), "components": {"gateway": {}}},
        "environment.gateway.parent.namespace: 'gateway' of this stack is made in shop, and services would be reached",
    ),
    (
        {"environment": gateway(sectionName="https"), "components": {"gateway": {}}},
        "gateway.parent.sectionName: 'gateway' of this stack has no such listener (found 'https'); give 'gateway' a",
    ),
    (
        {"environment": gateway(sectionName="grpc"), "components": {"gateway": {"tlsSecret": "t"}}},
        "has no such listener (found 'grpc'); there is http and https",
    ),
]


@pytest.mark.parametrize(("sections", "expected"), CONFLICTS, ids=[str(index) for index in range(len(CONFLICTS))])
def test_conflicts(sections, expected):
    if expected is None:
        assert read(**sections).manifests()
        return
    lines = said(**sections)
    assert expected in lines[0]
    assert len(lines) == 1


MISSING = [
    ({"env": {"U": {"secret": "redis-auth", "key": "urll"}}}, "a.env.U.key: Secret redis-auth has no such key"),
    (
        {"volumes": {"k": {"secret": "payment"}}, "mounts": {"/k/t": "k#tokn"}},
        "a.mounts./k/t: Secret payment has no such key (found 'tokn'); did you mean 'token'?",
    ),
    (
        {
            "volumes": {"k": {"secret": "payment"}},
            "sidecars": [{"name": "s", "image": IMAGE, "readiness": {"port": 1}, "mounts": {"/k": "k#other"}}],
        },
        "a.sidecars.0.mounts./k: Secret payment has no such key (found 'other')",
    ),
]


@pytest.mark.parametrize(("settings", "expected"), MISSING, ids=[str(index) for index in range(len(MISSING))])
def test_keys_that_a_secret_of_the_stack_has_not(settings, expected):
    (line,) = said(components={"redis": {}}, services=services(a=settings), secrets={"payment": {"token": "x"}})
    assert expected in line


@pytest.mark.parametrize(
    ("kind", "needs"), [("redis", "auth.conf, password, url"), ("rabbitmq", "10-users.json, cookie, url")]
)
def test_a_given_secret_has_what_is_read_there(kind, needs):
    (line,) = said(components={kind: {"authSecret": "own"}}, secrets={"own": {"url": "x"}})
    assert f"components.{kind}.authSecret: Secret own has no " in line
    assert f"it needs {needs}" in line
    assert read(components={kind: {"authSecret": "elsewhere"}}).manifests()


def test_one_name_for_two_addresses():
    components = {"amqp": {"kind": "redis"}, "sessions": {"kind": "redis"}, "rabbitmq": {}}
    (line,) = said(components=components, services=services(a={"uses": ["amqp", "sessions", "rabbitmq"]}))
    assert "services.a.uses: AMQP_URL would be amqp and rabbitmq; rename one of the two" in line


def test_one_hostname_may_have_two_services_by_path():
    found = services(
        a={"traffic": {"hostnames": ["x.example.com"]}},
        b={"traffic": {"hostnames": ["x.example.com"], "matches": [{"path": {"value": "/b"}}]}},
    )
    assert read(services=found).manifests()


def test_the_gateway_of_the_stack_by_its_own_namespace_and_listener():
    assert read(environment=gateway(namespace="shop", sectionName="http"), components={"gateway": {}}).manifests()
    assert read(environment=gateway(namespace="gateways", sectionName="public")).manifests()


@pytest.mark.parametrize(
    ("components", "names"),
    [
        ({"redis": {}}, {"REDIS_URL": "redis"}),
        ({"sessions": {"kind": "redis"}}, {"REDIS_URL": "sessions"}),
        (
            {"redis": {}, "sessions": {"kind": "redis"}},
            {"REDIS_URL": "redis", "SESSIONS_URL": "sessions"},
        ),
        (
            {"order-cache": {"kind": "redis"}, "sessions": {"kind": "redis"}},
            {"ORDER_CACHE_URL": "order-cache", "SESSIONS_URL": "sessions"},
        ),
        (
            {"rabbitmq": {}, "events": {"kind": "rabbitmq"}},
            {"AMQP_URL": "rabbitmq", "RABBITMQ_URL": "rabbitmq", "EVENTS_URL": "events"},
        ),
    ],
)
def test_each_store_is_found_under_a_name_of_its_own(components, names):
    found = env(read(components=components, services=services(a={"uses": list(components)})))
    assert found.keys() == names.keys()
    for name, member in names.items():
        secret = found[name]["valueFrom"]["secretKeyRef"]["name"]
        assert secret in {f"{member}-auth", f"{member}-a-auth"}  # the stack's, or the service's own


def rules(platform, name, side):
    return of(platform, "NetworkPolicy", name)["spec"].get(side, [])


def test_a_used_service_has_an_address():
    found = read(services=services(a={"uses": ["b"]}, b={"port": 8000}))
    assert env(found)["B_URL"]["value"] == "http://b.shop.svc:8000"
    address = of(found, "Service", "b")
    assert address["spec"]["ports"] == [{"name": "http", "port": 8000, "targetPort": "http", "protocol": "TCP"}]
    assert address["spec"]["selector"] == {"app.kubernetes.io/name": "service", "app.kubernetes.io/instance": "b"}
    labels = of(found, "GrayRelease", "b")["spec"]["workload"]["template"]["metadata"]["labels"]
    assert address["spec"]["selector"].items() <= labels.items()
    assert rules(found, "a", "egress")[0]["ports"] == [{"port": 8000, "protocol": "TCP"}]
    assert rules(found, "b", "ingress")[0]["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "a"
    assert all(refusals(item) == [] for item in found.manifests())


def test_nobody_uses_it_no_address():
    assert "Service" not in {item["kind"] for item in read(services=services(a={}, b={})).manifests()}


def test_its_requests_take_their_share_where_a_gateway_has_them_anyway():
    found = read(components={"gateway": {}}, services=services(a={"uses": ["b"]}, b={"traffic": {}}))
    assert env(found)["B_URL"]["value"] == "http://b.shop.svc:8080"
    address = of(found, "Service", "b")
    proxies = of(found, "Deployment", "gateway-envoy")["spec"]["template"]
    assert address["spec"]["selector"].items() <= proxies["metadata"]["labels"].items()
    target = address["spec"]["ports"][0]["targetPort"]
    assert target in {port["containerPort"] for each in proxies["spec"]["containers"] for port in each.get("ports", ())}
    hostnames = of(found, "GrayRelease", "b")["spec"]["traffic"]["hostnames"]
    assert hostnames == ["b.local", "b.shop.svc", "b.shop.svc.cluster.local"]
    (way,) = rules(found, "a", "egress")
    assert way["to"][0]["podSelector"]["matchLabels"] == address["spec"]["selector"]
    assert way["ports"] == [{"port": 8080, "protocol": "TCP"}]


@pytest.mark.parametrize(
    "settings",
    [
        {"traffic": {"matches": [{"path": {"value": "/only"}}]}},
        {"traffic": {}, "ports": [{"name": "grpc", "port": 9090, "routed": True}]},
        {},
    ],
)
def test_where_the_gateway_has_not_all_of_them_users_talk_to_pods(settings):
    found = read(components={"gateway": {}}, services=services(a={"uses": ["b"]}, b=settings))
    assert of(found, "Service", "b")["spec"]["selector"]["app.kubernetes.io/instance"] == "b"


def test_more_ports_have_addresses_too():
    ports = [{"name": "grpc", "port": 9090}, {"name": "debug", "port": 6060, "used": False}]
    plain = read(services=services(a={"uses": ["b"]}, b={"ports": ports}))
    assert env(plain)["B_GRPC_ADDRESS"]["value"] == "b.shop.svc:9090"
    assert [port["port"] for port in of(plain, "Service", "b")["spec"]["ports"]] == [8080, 9090]
    carried = read(components={"gateway": {}}, services=services(a={"uses": ["b"]}, b={"ports": ports, "traffic": {}}))
    assert env(carried)["B_GRPC_ADDRESS"]["value"] == "b-direct.shop.svc:9090"
    assert of(carried, "Service", "b-direct")["spec"]["selector"]["app.kubernetes.io/instance"] == "b"
    ways = {way["ports"][0]["port"] for way in rules(carried, "a", "egress")}
    assert ways == {8080, 9090}


def test_services_may_use_each_other():
    found = read(services=services(a={"uses": ["b"]}, b={"uses": ["a"]}))
    assert env(found, "a")["B_URL"]["value"] == "http://b.shop.svc:8080"
    assert env(found, "b")["A_URL"]["value"] == "http://a.shop.svc:8080"


def test_prometheus_and_the_gateway_may_be_used():
    found = read(components={"prometheus": {}, "gateway": {}}, services=services(a={"uses": ["prometheus", "gateway"]}))
    assert env(found)["PROMETHEUS_URL"]["value"] == "http://prometheus.shop.svc:9090"
    assert env(found)["GATEWAY_URL"]["value"] == "http://gateway-envoy.shop.svc"
    users = [rule["from"][0]["podSelector"]["matchLabels"] for rule in rules(found, "prometheus", "ingress")]
    assert {"app.kubernetes.io/name": "service", "app.kubernetes.io/instance": "a"} in users


def test_the_range_of_names_that_mirrors_know():
    environment = {**small()["environment"], "images": {"docker.io/": "mirror.example.com/"}}
    found = read(environment=environment, components={"redis": {"image": "redis:7.2.4"}})
    container = of(found, "StatefulSet", "redis")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "mirror.example.com/library/redis:7.2.4"

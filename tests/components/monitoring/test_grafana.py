"""Grafana: what a stack makes of it, what it refuses, and whether its dashboards are ones that Grafana knows."""

from __future__ import annotations

import configparser
import json

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from components.model.mistakes import StackError
from components.model.observability import Dashboard as Declared
from components.model.observability import Panel
from components.monitoring.grafana_json import written
from components.monitoring.overviews import config_maps, dashboards_of, uid_of
from components.stack.foundation import LEVEL
from tests.components import alert_cases
from tests.components.conftest import read
from tests.components.kind_examples import declared
from tests.components.model.values import IMAGE

register_default_plugins()  # so that it knows what a query and the options of a panel are made of
OIDC = {
    "authUrl": "https://login.example.com/authorize",
    "tokenUrl": "https://login.example.com/token",
    "userUrl": "https://login.example.com/userinfo",
    "secret": "grafana-oidc",
    "admins": "platform",
}
DATABASE = {"address": "postgres.example.com:5432", "secret": "grafana-database", "caSecret": "grafana-database-ca"}
STORES = {
    "prometheus": {},
    "traces": {"kind": "jaeger", "tls": {}},
    "lines": {"kind": "loki", "tls": {}},
    "logs": {"kind": "victorialogs"},
}


def of(found, kind, name):
    (made,) = (each for each in found.manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return made


def stack(grafana=None, *, stores=STORES, **more):
    return read(components={**stores, "grafana": grafana or {}, **more})


def files(found):
    return of(found, "ConfigMap", "grafana-config")["data"]


def ini(found):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(files(found)["grafana.ini"])
    return parser


def pod(found):
    return of(found, "Deployment", "grafana")["spec"]["template"]["spec"]


def container(found):
    return pod(found)["containers"][0]


def lost(text):
    """What Grafana's own models do not take of a dashboard, as the paths of what they forget or change."""
    before = json.loads(text)
    after = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(before)))
    return sorted({path for path, _ in {*_leaves(before)} ^ {*_leaves(after)}})


def _leaves(node, path=""):
    if isinstance(node, dict):
        for key, each in node.items():
            yield from _leaves(each, f"{path}.{key}")
    elif isinstance(node, list):
        for index, each in enumerate(node):
            yield from _leaves(each, f"{path}[{index}]")
    else:
        yield path, json.dumps(node)


def everything():
    """Dashboards of every kind that there is, and of the stacks as a whole."""
    return {
        f"{name}@{number}": text
        for number, each in enumerate({id(m.scope): m.scope for m in alert_cases.platform().components}.values())
        for part in config_maps(each, "x").values()
        for name, text in part.items()
    }


@pytest.mark.parametrize(("name", "text"), everything().items(), ids=lambda each: each if "@" in each[:60] else "")
def test_grafana_knows_every_field_of_every_dashboard(name, text):
    assert lost(text) == []


def test_a_field_that_grafana_does_not_have_is_seen():
    made = json.loads(written(Declared("x", (Panel("a", "up", view="number", limits=((None, "red"),)),)), "x"))
    made["panels"][0]["fieldConfig"]["defaults"]["unnit"] = "bytes"
    made["panels"][0]["targets"][0]["expression"] = "up"
    made["panels"][0]["titel"] = "b"
    assert lost(json.dumps(made)) == [
        ".panels[0].fieldConfig.defaults.unnit",
        ".panels[0].targets[0].expression",
        ".panels[0].titel",
    ]


def test_panels_lie_beside_one_another_and_ask_what_they_say():
    panels = (
        *(Panel(str(index), "up", view="number") for index in range(4)),
        Panel("graph", "rate(x[5m])", "s", names="{{pod}}", about="why"),
        Panel("list", "up", view="list", words=((1, "answers"),)),
    )
    made = json.loads(written(Declared("all", panels), "all"))
    places = [(each["gridPos"]["x"], each["gridPos"]["y"], each["gridPos"]["w"]) for each in made["panels"]]
    assert places == [(0, 0, 6), (6, 0, 6), (12, 0, 6), (18, 0, 6), (0, 4, 12), (12, 4, 12)]
    number, *_, graph, table = made["panels"]
    assert (number["type"], graph["type"], table["type"]) == ("stat", "timeseries", "table")
    assert graph["targets"][0]["expr"] == "rate(x[5m])"
    assert graph["targets"][0]["legendFormat"] == "{{pod}}"
    assert (graph["description"], graph["fieldConfig"]["defaults"]["unit"]) == ("why", "s")
    assert table["fieldConfig"]["defaults"]["mappings"][0]["options"]["1"]["text"] == "answers"
    (variable,) = made["templating"]["list"]
    assert (variable["type"], variable["query"], variable["name"]) == ("datasource", "prometheus", "source")
    assert {each["datasource"]["uid"] for each in made["panels"]} == {"${source}"}


def test_the_overview_counts_a_system_that_is_gone_altogether():
    found = read(components={"prometheus": {}, "redis": {}}, services={"shop": {"image": IMAGE}})
    panels = {each.title: each for each in dashboards_of(found.components[0].scope)["overview.health"].panels}
    share = panels["Systems that answer"].expr
    assert 'instance_name=~"prometheus|redis|shop"' in share
    assert share.endswith(" or vector(0)) / 3")
    assert "Being released" not in panels


def test_names_of_dashboards_stay_apart_where_they_are_long():
    long = "a" * 60
    assert uid_of("shop-redis") == "shop-redis"
    assert len({uid_of(f"{long}-{index}") for index in range(9)}) == 9
    assert max(len(uid_of(f"{long}-{index}")) for index in range(9)) <= 40


def test_what_a_stack_with_everything_makes_of_it():
    found = declared("grafana", "production")
    made = ini(found)
    assert made["auth.anonymous"]["enabled"] == "false"
    assert made["users"]["allow_sign_up"] == "false"
    assert made["auth"]["disable_login_form"] == "true"
    assert made["server"]["root_url"] == "https://dashboards.example.com"
    assert made["security"]["cookie_secure"] == "true"
    roles = "contains(groups[*], 'platform') && 'Admin' || contains(groups[*], 'staff') && 'Viewer'"
    assert made["auth.generic_oauth"]["role_attribute_path"] == roles
    assert made["auth.generic_oauth"]["role_attribute_strict"] == "true"
    assert made["database"]["ssl_mode"] == "verify-full"
    assert of(found, "Deployment", "grafana")["spec"]["replicas"] == 3
    route = of(found, "HTTPRoute", "grafana")["spec"]
    assert (route["hostnames"], route["rules"][0]["backendRefs"][0]["port"]) == (["dashboards.example.com"], 3000)
    space = next(each for each in found.manifests() if each["kind"] == "Namespace")
    assert space["metadata"]["labels"][f"{LEVEL}/enforce"] == "restricted"


def test_its_sources_are_the_stores_of_the_stack_with_their_logins_and_authorities():
    found = stack()
    sources = {each["name"]: each for each in yaml.safe_load(files(found)["sources.yaml"])["datasources"]}
    assert {name: each["type"] for name, each in sources.items()} == {
        "prometheus": "prometheus",
        "traces": "jaeger",
        "lines": "loki",
        "logs": "victoriametrics-logs-datasource",
    }
    assert [name for name, each in sources.items() if each.get("isDefault")] == ["prometheus"]
    assert sources["lines"]["secureJsonData"]["httpHeaderValue1"] == "stack"
    authority = sources["traces"]["secureJsonData"]["tlsCACert"]
    mounted = {each["mountPath"] for each in container(found)["volumeMounts"]}
    assert authority.removeprefix("$__file{").removesuffix("/ca.crt}") in mounted
    variables = {each["name"]: each["valueFrom"] for each in container(found)["env"] if "valueFrom" in each}
    for name in ("traces", "logs"):
        named = (
            sources[name]["basicAuthUser"].removeprefix("$"),
            sources[name]["secureJsonData"]["basicAuthPassword"][1:],
        )
        assert [variables[each]["secretKeyRef"]["name"] for each in named] == [f"{name}-auth"] * 2


def test_dashboards_are_those_of_the_stack_in_as_many_maps_as_they_need():
    services = {f"service-with-a-rather-long-name-{index}": {"image": IMAGE, "traffic": {}} for index in range(900)}
    found = read(components={"prometheus": {}, "grafana": {}}, services=services)
    (volume,) = (each for each in pod(found)["volumes"] if each["name"] == "dashboards")
    mounted = [each["configMap"]["name"] for each in volume["projected"]["sources"]]
    there = [each for each in found.manifests() if each["metadata"]["name"] in mounted]
    assert len(there) == len(mounted) > 1
    layers = {each["metadata"]["annotations"]["grayling.dev/layer"] for each in there}
    assert layers == {of(found, "Deployment", "grafana")["metadata"]["annotations"]["grayling.dev/layer"]}


def test_a_plugin_is_fetched_only_where_one_is_needed():
    def out(found):
        rules = of(found, "NetworkPolicy", "grafana")["spec"]["egress"]
        return [rule for rule in rules if "to" not in rule]

    without = {name: each for name, each in STORES.items() if name != "logs"}
    assert ini(stack())["plugins"]["preinstall_sync"] == "victoriametrics-logs-datasource"
    assert out(stack()) == [{"ports": [{"port": 443, "protocol": "TCP"}]}]
    for found in (stack({"installPlugins": False}), stack(stores=without), stack({"sources": ["prometheus"]})):
        assert "preinstall_sync" not in ini(found)["plugins"]
        assert out(found) == []


def test_encrypted_at_the_pod():
    found = stack({"tls": {}})
    made = ini(found)
    assert (made["server"]["protocol"], made["server"]["min_tls_version"]) == ("https", "TLS1.3")
    assert made["server"]["cert_file"] == "/run/tls/tls.crt"
    program = of(found, "ConfigMap", "grafana-metrics")["data"]["metrics.py"]
    assert '"https://localhost:3000/metrics"' in program
    assert '"/run/tls/ca.crt"' in program
    assert [each for each in found.manifests() if each["kind"] == "HTTPRoute"] == []


@pytest.mark.parametrize(
    ("settings", "stores", "says"),
    [
        (
            {},
            {"lines": {"kind": "loki"}},
            "there is no prometheus in this stack, and dashboards show its data; add one",
        ),
        (
            {"sources": ["trace"]},
            STORES,
            r"sources: 'trace' is none of this stack's prometheus, jaeger.*; did you mean 'traces'",
        ),
        ({"replicas": 2}, STORES, "several pods would each know their own logins; give a database, or leave it out"),
        (
            {"hostname": "a.example.com", "tls": {}},
            STORES,
            "the gateway talks to pods in plain; encrypt at the gateway",
        ),
        ({"oidc": OIDC}, STORES, "nobody says where; give hostname or url"),
        ({"url": "https://me:hidden@a.example.com"}, STORES, "has a password in it .*://…@a.example.com"),
        ({"url": "http://a.example.com"}, STORES, "is not encrypted .*; give an https:// address"),
        ({"oidc": {**OIDC, "admins": "a' || 'Admin"}, "hostname": "a.example.com"}, STORES, "is no group"),
        ({"oidc": {**OIDC, "scopes": ["a b"]}, "hostname": "a.example.com"}, STORES, "is no scope"),
        ({"resources": {"cpu": "1", "memory": "64Mi"}}, STORES, "memory: is too little"),
        ({"database": {**DATABASE, "address": "postgres"}}, STORES, "database.address"),
    ],
)
def test_what_cannot_be_is_refused(settings, stores, says):
    with pytest.raises(StackError, match=says) as found:
        stack(settings, stores=stores).manifests()
    assert "components.grafana" in str(found.value)
    assert "hidden" not in str(found.value)

"""What a Consul is told, what it keeps to itself, and what is said of settings that cannot be."""

from __future__ import annotations

import json
import os
import uuid
from base64 import b64decode

import pytest
import yaml

from components.model.credentials import draw, recipe_of
from components.model.mistakes import StackError
from components.workloads.policy_rules import broken_rules
from tests.components import kind_examples
from tests.components.conftest import ROOT, read
from tests.components.model.values import IMAGE

GOLDEN = ROOT / "tests" / "components" / "golden" / "modes" / "consul.yaml"


def example():
    return by_name(kind_examples.declared("consul", "production", namespace="shop"))


def by_name(platform):
    return {(each["kind"], each["metadata"]["name"]): each for each in platform.manifests()}


def declared(**settings):
    return by_name(read(components={"consul": settings}))


def configuration(objects):
    return json.loads(objects["ConfigMap", "consul-config"]["data"]["consul.json"])


def test_it_is_what_the_golden_file_says():
    text = yaml.safe_dump_all(example().values(), sort_keys=True)
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "run with GOLDEN=write if the change is meant"


@pytest.mark.parametrize("settings", [{}, {"tls": {}}, {"tls": {"issuer": {"name": "letters"}}}])
def test_nothing_is_allowed_without_a_token(settings):
    said = configuration(declared(**settings))
    assert (said["acl"]["enabled"], said["acl"]["default_policy"]) == (True, "deny")
    assert said["enable_script_checks"] is False


def test_key_and_token_are_drawn_as_consul_wants_them_and_are_in_no_file_of_the_stack():
    objects = declared()
    values = draw(recipe_of(objects["Secret", "consul-auth"]))
    secrets = json.loads(values["secrets.json"])
    assert len(b64decode(secrets["encrypt"], validate=True)) in {16, 24, 32}
    assert str(uuid.UUID(values["token"])) == values["token"] == secrets["acl"]["tokens"]["initial_management"]
    assert draw(recipe_of(objects["Secret", "consul-auth"]))["token"] != values["token"]
    assert "encrypt" not in configuration(objects)


def test_with_a_certificate_nothing_else_is_spoken():
    said = configuration(declared(tls={}))
    assert (said["ports"]["http"], said["ports"]["https"]) == (-1, 8501)
    assert said["tls"]["defaults"]["tls_min_version"] == "TLSv1_3"
    assert said["tls"]["internal_rpc"] == {"verify_incoming": True, "verify_server_hostname": True}
    names = recipe_of(declared(tls={})["Secret", "consul-tls"])["names"].split(",")
    assert {"server.dc1.consul", "*.consul-nodes.shop.svc", "localhost"} <= set(names)


def test_certificates_of_an_issuer_are_for_servers_alone():
    said = configuration(declared(tls={"issuer": {"name": "letters"}}))
    assert said["tls"]["internal_rpc"] == {"verify_incoming": False, "verify_server_hostname": True}


@pytest.mark.parametrize("members", [1, 3, 5])
def test_servers_know_each_other_by_name_and_keep_a_majority(members):
    said = configuration(declared(members=members))
    assert said["bootstrap_expect"] == members == len(said["retry_join"])
    assert said["autopilot"]["min_quorum"] == members // 2 + 1
    assert said["retry_join"][0] == "consul-0.consul-nodes.shop.svc"


def test_gossip_is_udp_too_and_of_its_own_pods():
    rules = declared()["NetworkPolicy", "consul"]["spec"]
    for side, whom in (("ingress", "from"), ("egress", "to")):
        (found,) = [each for each in rules[side] if {"port": 8301, "protocol": "UDP"} in each["ports"]]
        assert found[whom][0]["podSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "consul"


def test_a_service_gets_its_own_token_and_never_the_first_one():
    consul = next(each for each in kind_examples.declared("consul", "production").components if each.kind == "consul")
    bound = consul.binding("shop")
    assert bound["CONSUL_HTTP_ADDR"] == "https://consul.kind-consul-production.svc:8501"
    assert (bound["CONSUL_HTTP_TOKEN"].secret, bound["CONSUL_HTTP_TOKEN"].key) == ("shop-consul", "token")


@pytest.mark.parametrize(
    ("settings", "services", "said"),
    [
        ({}, ["shop"], "tokens: the service shop has none, and nothing is allowed without; name its Secret"),
        ({"tokens": {"shop": {"secret": "x"}}}, [], "tokens.shop: no service of this name uses it"),
        ({"members": 2}, [], "consul.members"),
        ({"datacenter": "DC_1"}, [], "consul.datacenter"),
    ],
)
def test_what_cannot_be_is_said_with_the_way_out(settings, services, said):
    with pytest.raises(StackError) as told:
        read(
            components={"consul": settings},
            services={name: {"image": IMAGE, "uses": ["consul"]} for name in services},
        )
    assert said in str(told.value)


@pytest.mark.parametrize("settings", [{}, {"members": 3, "tls": {}}])
def test_it_keeps_the_baseline(settings):
    objects = declared(**settings)
    own = [each for (_, name), each in objects.items() if name.startswith("consul")]
    assert [found for each in own for found in broken_rules(each)] == []

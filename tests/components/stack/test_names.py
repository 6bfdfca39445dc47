"""Names of members: those that meet others, that the cluster has already, or that are named by others."""

from __future__ import annotations

import pytest

from components.model.mistakes import StackError
from tests.components.accepted import refusals
from tests.components.conftest import read, small

IMAGE = "a/b:1"
DEFAULT = {**small()["environment"], "namespace": "default", "inSystemNamespace": True}


def service(**settings):
    return {"image": IMAGE, **settings}


def services(**uses):
    return {"services": {name: service(uses=used) for name, used in uses.items()}}


REFUSED = [
    (services(a=["a"]), "services.a.uses.0: is the service itself (found 'a'); leave it out"),
    (
        {**services(a=["controller"]), "components": {"controller": {"image": IMAGE}}},
        "services.a.uses.0: has no port that a service could talk to (found 'controller'); leave it out",
    ),
    (
        {"services": {"a": service(uses=["b"]), "b": service(port=None)}},
        "services.a.uses.0: has no port that a service could talk to (found 'b'); give it a port, or leave it out",
    ),
    (services(a=["b", "b"], b=[]), "services.a.uses.1: is there twice (found 'b'); once is enough"),
    (
        services(a=["B"], b=[]),
        "services.a.uses.0: no such component in this stack (found 'B'); did you mean 'b'?",
    ),
    (
        services(a=["b\n"], b=[]),
        "services.a.uses.0: no such component in this stack (found 'b\\n'); did you mean 'b'?",
    ),
    (services(a=[""]), "services.a.uses.0: no such component in this stack (found ''); known here: a"),
    (services(a=["environment"]), "services.a.uses.0: no such component in this stack (found 'environment')"),
    (
        {**services(a=["redis"]), "components": {"cache": {"kind": "redis"}}},
        "services.a.uses.0: no such component in this stack (found 'redis'); did you mean 'cache', which is one?",
    ),
    (
        {**services(a=["rabbitmq"]), "components": {"cache": {"kind": "redis"}}},
        "services.a.uses.0: no such component in this stack (found 'rabbitmq'); known here: a, cache",
    ),
    (
        {"services": {"redis": service()}, "components": {"redis": {}}},
        "services.redis: the name 'redis' is taken; give it another one",
    ),
    ({"services": {"environment": service()}}, "services.environment: the name 'environment' is taken; give"),
    (
        {"services": {"default": service()}},
        "services.default: the cluster has a ServiceAccount 'default' in this namespace; give it another name",
    ),
    (
        {"components": {"default": {"kind": "redis"}}},
        "components.default: the cluster has a ServiceAccount 'default' in this namespace; give it another name",
    ),
    (
        {"environment": DEFAULT, "services": {"kubernetes": service()}},
        "services.kubernetes: the cluster has a Service 'kubernetes' in this namespace; give it another name",
    ),
    (
        {"services": {"default-deny": service()}},
        "NetworkPolicy 'default-deny' is declared by 'environment' too; rename",
    ),
    (
        {"components": {"redis": {}, "redis-nodes": {"kind": "redis"}}},
        "components.redis-nodes: Service 'redis-nodes' is declared by 'redis' too; rename one of the two",
    ),
    (
        {**services(a=["redis-readers"], **{"redis-readers": []}), "components": {"redis": {"mode": "replication"}}},
        "services.redis-readers: Service 'redis-readers' is declared by 'redis' too; rename one of the two",
    ),
    (
        {
            "components": {"redis": {}, "redis-a": {"kind": "redis"}},
            **services(**{"a-b": ["redis"], "b": ["redis-a"]}),
        },
        "components.redis-a: Secret 'redis-a-b-auth' is declared by 'redis' too; rename one of the two",
    ),
    (
        {"components": {"redis": {}}, "secrets": {"redis-auth": {"k": "v"}}},
        "components.redis: Secret 'redis-auth' is declared by 'environment' too; rename one of the two",
    ),
    (
        {"components": {"gateway": {}, "edge": {"kind": "gateway"}}},
        "components.gateway: a stack has one gateway, and 'edge' is one; leave one of the two out",
    ),
    (
        {"components": {"a": {"kind": "controller", "image": IMAGE}, "controller": {"image": IMAGE}}},
        "components.controller: a stack has one controller, and 'a' is one; leave one of the two out",
    ),
]


@pytest.mark.parametrize(("sections", "expected"), REFUSED, ids=[str(index) for index in range(len(REFUSED))])
def test_names_that_meet_others(sections, expected):
    with pytest.raises(StackError) as caught:
        read(**sections).manifests()
    (mistake,) = caught.value.mistakes
    assert expected in str(mistake)


MANY = [f"s{index}" for index in range(100)]
TAKEN = [
    services(a=["b"], b=["a"]),
    services(a=["b"], b=["c"], c=["a"]),
    {**services(a=["gateway", "prometheus"]), "components": {"gateway": {}, "prometheus": {}}},
    services(a=MANY, **{name: [] for name in MANY}),
    {**services(a=MANY), "components": {name: {"kind": "redis"} for name in MANY}},
    {**services(**{name: ["redis", "rabbitmq"] for name in MANY}), "components": {"redis": {}, "rabbitmq": {}}},
    {**services(**{"s" * 40: ["r" * 40]}), "components": {"r" * 40: {"kind": "rabbitmq"}}},
    services(checkout=[], **{"checkout-canary": [], "checkout-stable": ["checkout-canary"]}),
    services(kubernetes=[], a=["kubernetes"]),
    {**services(**{"redis-nodes": []}), "components": {"redis": {}}},
    {"components": {"redis": {}, "redis-2": {"kind": "redis"}, "rabbitmq-2": {"kind": "rabbitmq"}}},
]


@pytest.mark.parametrize("sections", TAKEN, ids=[str(index) for index in range(len(TAKEN))])
def test_names_that_go_together(sections):
    made = read(**sections).manifests()
    assert {item["metadata"]["name"]: found for item in made if (found := [*refusals(item)])} == {}


def test_a_hundred_of_a_kind_have_a_variable_each():
    made = read(**services(a=MANY), components={name: {"kind": "redis"} for name in MANY}).manifests()
    (release,) = (item for item in made if item["kind"] == "GrayRelease")
    env = release["spec"]["workload"]["template"]["spec"]["containers"][0]["env"]
    assert {each["name"] for each in env} == {f"S{index}_URL" for index in range(100)}
    assert len({each["valueFrom"]["secretKeyRef"]["name"] for each in env}) == 100

"""Whatever a stack renders is what an API server takes; and the table that says so does find what it would not."""

from __future__ import annotations

from copy import deepcopy

import pytest

from tests.components.accepted import refusals
from tests.components.conftest import read
from tests.components.workloads.test_companions import STACK
from tests.components.workloads.test_companions import stack as companions


def test_all_objects_of_the_stacks(rendered):
    assert {item["metadata"]["name"]: found for item in rendered if (found := refusals(item))} == {}


def test_all_objects_of_a_service_with_everything():
    for item in companions().manifests():
        assert refusals(item) == [], item["metadata"]["name"]


def test_names_as_long_as_they_may_be():
    long = "a" * 40
    service = {"image": "a/b:" + "1" * 128, "uses": ["r" * 40], "traffic": {}}
    components = {"g" * 40: {"kind": "gateway"}, "r" * 40: {"kind": "redis"}, "p" * 40: {"kind": "prometheus"}}
    environment = {
        "tier": "prod",
        "namespace": "n" * 63,
        "owners": ["x"],
        "gateway": {"hostnameSuffix": "a." * 99 + "io"},
    }
    others = {name: settings for name, settings in STACK.items() if name != "gateway"}
    found = read(environment=environment, components={**others, **components}, services={long: service})
    for component in found.components:
        for item in component.render():
            assert refusals(item) == [], item["metadata"]["name"]


def _damage(path, value):
    def damage(item):
        here = item
        for part in path[:-1]:
            here = here[part]
        here[path[-1]] = value

    return damage


POD = ("spec", "template", "spec")
BROKEN = [
    ("StatefulSet", (*POD, "containers", 0, "nodeSelectr"), {}),
    ("StatefulSet", (*POD, "containers", 0, "env", 0, "name"), "MY VAR=1"),
    ("StatefulSet", (*POD, "containers", 0, "image"), ""),
    ("StatefulSet", (*POD, "containers", 0, "resources", "requests", "cpu"), "0"),
    ("StatefulSet", (*POD, "containers", 0, "volumeMounts", 0, "name"), "nobody"),
    ("StatefulSet", (*POD, "terminationGracePeriodSeconds"), "soon"),
    ("StatefulSet", ("metadata", "name"), "Not_A_Name"),
    ("StatefulSet", ("metadata", "labels", "a"), "b c"),
    ("ConfigMap", ("data", "a/b.yaml"), "x"),
    ("ConfigMap", ("data", ".."), "x"),
    ("ConfigMap", ("data", "large"), "x" * 1_100_000),
    ("Service", ("spec", "ports", 0, "port"), "http"),
    ("Service", ("spec", "prts"), []),
    ("GrayRelease", ("spec", "workload", "replicas"), 0),
    ("GrayRelease", ("spec", "strategi"), {}),
    ("GrayRelease", ("spec", "workload", "template", "spec", "containers", 0, "ports", 0, "name"), "UPPER"),
]


@pytest.mark.parametrize(("kind", "path", "value"), BROKEN, ids=[".".join(map(str, path)) for _, path, _ in BROKEN])
def test_what_the_api_server_would_refuse_is_found(kind, path, value):
    items = read(components={"redis": {}}).manifests() + companions().manifests()
    item = deepcopy(next(each for each in items if each["kind"] == kind))
    assert refusals(item) == []
    _damage(path, value)(item)
    try:
        found = refusals(item)
    except ValueError as error:  # a GrayRelease that the models refuse
        found = [str(error)]
    assert found

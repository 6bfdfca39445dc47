"""What the Pulumi engine is told: types, parents, order, secrets, and what is never overwritten."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from components.stack.stackfile import find
from manifests.render import definitions, policies
from tests.components.conftest import ROOT

SPY = """
import asyncio, json, runpy, sys
from pulumi.runtime import mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_pulumi_func
from components.deploy.offline_run import Nothing, OfflineMonitor, unpacked

class Spy(OfflineMonitor):
    def __init__(self):
        super().__init__()
        self.seen = []

    def RegisterResource(self, request):
        self.seen.append({
            "urn": self.make_urn(request.parent, request.type, request.name),
            "type": request.type, "name": request.name, "parent": request.parent, "custom": request.custom,
            "depends": list(request.dependencies), "ignore": list(request.ignoreChanges),
            "protect": request.protect, "limits": request.customTimeouts.create,
            "ends": request.customTimeouts.delete,
            "retain": request.retainOnDelete, "version": request.version, "inputs": unpacked(request.object),
        })
        return super().RegisterResource(request)

request = json.load(sys.stdin)
spy = Spy()
asyncio.set_event_loop(asyncio.new_event_loop())
mocks.set_mocks(Nothing(), project="grayling", stack=request["stack"], preview=True, monitor=spy)
set_all_config({k: v if isinstance(v, str) else json.dumps(v) for k, v in request["config"].items()}, [])
asyncio.get_event_loop().run_until_complete(
    run_pulumi_func(lambda: runpy.run_path(request["program"], run_name="__main__") and None))
print(json.dumps(spy.seen))
"""


def spied(stack):
    request = {"program": str(ROOT / "__main__.py"), "stack": stack, "config": find(stack, ROOT).config()[0]}
    done = subprocess.run(
        [sys.executable, "-c", SPY], input=json.dumps(request), capture_output=True, text=True, cwd=ROOT, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def seen():
    return spied("local")


@pytest.fixture(scope="module")
def prod():
    return spied("prod")


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_urns_stay_as_they_were(stack):
    """Another URN is another resource: Pulumi would delete what it has and create it anew."""
    known = (ROOT / "tests" / "components" / "golden" / "urns" / f"{stack}.txt").read_text().splitlines()
    assert sorted(one["urn"] for one in spied(stack)) == known


def component(seen, name):
    return next(one for one in seen if one["name"] == name and one["type"].startswith("grayling:"))


def test_components_are_components_of_ours(seen):
    types = {one["name"]: one["type"] for one in seen if one["type"].startswith("grayling:")}
    assert types == {
        "environment": "grayling:environment:Foundation",
        "gateway": "grayling:gateway:Gateway",
        "controller": "grayling:release:Controller",
        "redis": "grayling:middleware:Redis",
        "rabbitmq": "grayling:middleware:RabbitMQ",
        "prometheus": "grayling:monitoring:Prometheus",
        "checkout": "grayling:release:Service",
        "billing": "grayling:release:Service",
    }


def test_every_object_has_a_component_as_its_parent_and_the_type_pulumi_gives_it(seen):
    objects = [one for one in seen if one["type"].startswith("kubernetes:")]
    assert all("grayling:" in one["parent"] for one in objects)
    assert all(one["custom"] and one["version"] for one in objects)
    types = {one["type"] for one in objects}
    assert {
        "kubernetes:core/v1:Secret",
        "kubernetes:apps/v1:StatefulSet",
        "kubernetes:grayling.dev/v1alpha1:GrayRelease",
        "kubernetes:gateway.networking.k8s.io/v1:Gateway",
    } <= types


def test_layers_wait_for_the_layers_before(seen):
    def waits_for(name):
        return {urn.rsplit("::", 1)[-1] for urn in component(seen, name)["depends"]}

    assert {"environment"} <= waits_for("gateway") | {"environment"}
    order = [one["name"] for one in seen if one["type"].startswith("grayling:")]
    assert order.index("environment") < order.index("controller") < order.index("redis") < order.index("checkout")
    workload = next(one for one in seen if one["type"].endswith("StatefulSet") and one["name"] == "shop/redis")
    assert "shop/redis-auth" in waits_for_names(workload)


def waits_for_names(one):
    return {urn.rsplit("::", 1)[-1] for urn in one["depends"]}


def test_generated_secrets_are_secrets_and_stay_as_they_were_made(seen):
    secret = next(one for one in seen if one["name"] == "shop/redis-auth")
    assert secret["ignore"] == ["data"]
    for value in secret["inputs"]["data"].values():
        assert value["4dabf18193072939515e22adb298388d"] == "1b47061264138c4ac30d75fd1eb44270"


def test_names_are_stable_and_not_made_up(seen):
    for one in seen:
        if one["type"].startswith("kubernetes:"):
            assert one["inputs"]["metadata"]["name"] == one["name"].rsplit("/", 1)[-1]


def names(seen, **wanted):
    objects = [one for one in seen if one["type"].startswith("kubernetes:")]
    return {
        f"{one['type'].rsplit(':', 1)[-1]} {one['name']}"
        for one in objects
        if all(one[key] == value for key, value in wanted.items())
    }


def test_what_holds_data_is_protected_where_the_tier_keeps_it(seen, prod):
    assert names(seen, protect=True) == set()
    assert names(prod, protect=True) == {
        "StatefulSet integration/redis",
        "StatefulSet integration/rabbitmq",
        "StatefulSet integration/prometheus",
    }


def test_what_others_need_outlives_the_stack_in_every_tier(seen, prod):
    found = [*definitions(), *policies()]
    kept = {f"{item['kind']} {item['metadata']['name']}" for item in found}
    assert names(seen, retain=True) == {*kept, "GatewayClass contour"}
    passwords = {"Secret integration/redis-auth", "Secret integration/rabbitmq-auth"}
    assert kept <= names(prod, retain=True)
    assert passwords <= names(prod, retain=True)


def test_waiting_is_for_what_it_tells_something_of_and_not_for_ten_minutes(seen):
    services = [one for one in seen if one["type"].endswith(":Service") and "kubernetes" in one["type"]]
    assert services
    assert all(one["inputs"]["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true" for one in services)
    others = [one for one in seen if one["type"].startswith("kubernetes:") and one not in services]
    assert not any("pulumi.com/skipAwait" in one["inputs"]["metadata"].get("annotations", {}) for one in others)
    assert {one["limits"] for one in seen if one["type"].startswith("kubernetes:")} == {"5m", "2m"}
    assert {one["limits"] for one in seen if one["type"].endswith(":StatefulSet")} == {"5m"}
    assert {one["ends"] for one in seen if one["type"].endswith(":GrayRelease")} == {"2m"}

"""Pulumi and `stack apply`: neither writes over the other, and an environment goes from one to the other unharmed."""

from __future__ import annotations

import asyncio

import pytest

from components.deploy.ownership import UNKNOWN_WRITER
from components.deploy.preflight import looked_at
from components.deploy.register import _with_values
from components.deploy.session import rendered
from components.model.credentials import draw, filled, recipe_of
from components.model.layers import identity
from components.stack.platform import Platform
from components.stack.stackfile import find
from manifests.render import definitions, policies
from tests.fakes.pulumi import OWN, Pulumi

TEXT = """config:
  grayling:environment: {tier: dev, namespace: shop, owners: [a]}
  grayling:components:
    redis: {image: 'registry.example.com/redis:7.0', storage: 1Gi}
"""


class Hands:
    """Both engines at one cluster."""

    def __init__(self, person):
        self.person, self.path, self.state = person, person.stack("shop", TEXT), {}

    def declared(self, **more):
        found = rendered(find(self.path))
        return [{**item, "metadata": {**item["metadata"], "annotations": {**item["metadata"]["annotations"], **more}}}
                for item in found]  # fmt: skip

    async def _with(self, work):
        async with self.person.server.cluster() as cluster:
            return await work(cluster)

    def pulumi(self, manifests, found=(), *, upsert=False):
        there = dict(found)
        full = [
            _with_values(item, recipe_of(item), there.get(identity(item))) if recipe_of(item) else item
            for item in manifests
        ]
        asyncio.run(self._with(lambda cluster: Pulumi(cluster, upsert=upsert, state=self.state).up(*full)))

    def against_pulumi(self):
        config, _ = find(self.path).config()
        sections = {key.removeprefix("grayling:"): value for key, value in config.items()}
        platform = Platform.read(sections, stack="shop", source="stacks/Pulumi.shop.yaml")
        return asyncio.run(self._with(lambda cluster: looked_at(cluster, platform, platform.manifests())))

    def password(self):
        return self.person.server.find("Secret", "redis-auth")["data"]

    def managers(self, kind, name):
        return {entry["manager"] for entry in self.person.server.find(kind, name)["metadata"]["managedFields"]}


@pytest.fixture
def hands(person):
    return Hands(person)


def versions(person):
    return {key: item["metadata"]["resourceVersion"] for key, item in person.server.objects.items()}


def test_apply_over_pulumi_is_refused_then_adopted_and_no_password_changes(person, hands):
    hands.pulumi(hands.declared(**{"pulumi.com/skipAwait": "true"}))
    password, before = hands.password(), versions(person)
    result = person.apply(hands.path)
    assert result.code == 6
    assert "Pulumi keeps" in result.err
    assert "grayling stack adopt shop" in result.err
    assert versions(person) == before
    assert person.on("adopt", hands.path, "--yes").code == 0
    assert person.on("diff", hands.path).out == ""
    assert hands.managers("StatefulSet", "redis") == {"grayling-stack"}
    person.stack("shop", TEXT.replace("redis:7.0", "redis:7.1"))
    changed = person.apply(hands.path)
    assert changed.code == 0, changed.err
    assert hands.password() == password


def test_adopting_twice_and_half_way(person, hands):
    hands.pulumi(hands.declared())
    person.server.fail("PATCH", "statefulsets/redis", 500)
    assert person.on("adopt", hands.path, "--yes").code == 1
    assert person.on("adopt", hands.path, "--yes").code == 0
    assert "0 adopted" in person.on("adopt", hands.path, "--yes").err
    assert person.apply(hands.path).code == 0


UPSERT = "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"


def test_adopting_what_an_engine_writes_at_the_same_time(person, hands):
    hands.pulumi(hands.declared())
    person.server.fail("PATCH", "statefulsets/redis", 422, times=2, message="the server rejected our request")
    assert person.on("adopt", hands.path, "--yes").code == 0
    assert person.on("diff", hands.path).out == ""
    person.server.fail("PATCH", "statefulsets/redis", 422, times=99, message="never")
    assert "never" in person.on("hand-over", hands.path, "--yes").err


def test_pulumi_over_an_applied_environment_is_refused_then_handed_over(person, hands, monkeypatch):
    assert person.apply(hands.path).code == 0
    password = hands.password()
    _, [reason] = hands.against_pulumi()
    assert "`grayling stack apply` keeps this environment" in reason
    assert "grayling stack hand-over shop" in reason
    result = person.on("hand-over", hands.path, "--yes")
    assert f"{UPSERT}=true pulumi up -s shop" in result.err
    _, [reason] = hands.against_pulumi()
    assert reason.startswith("Namespace shop, NetworkPolicy shop/default-deny, ")
    assert "there already and not Pulumi's" in reason
    assert f"{UPSERT}=true" in reason
    monkeypatch.setenv(UPSERT, "true")
    found, reasons = hands.against_pulumi()
    assert reasons == []
    hands.pulumi(hands.declared(), found.items(), upsert=True)
    assert hands.managers("StatefulSet", "redis") == {OWN, UNKNOWN_WRITER}
    monkeypatch.delenv(UPSERT)
    assert hands.against_pulumi()[1] == []
    assert hands.password() == password
    hands.pulumi(hands.declared(changed="yes"), found.items())
    assert person.server.find("StatefulSet", "redis")["metadata"]["annotations"]["changed"] == "yes"
    assert hands.managers("StatefulSet", "redis") == {OWN}
    assert hands.password() == password
    assert person.apply(hands.path).code == 6


def test_what_was_handed_over_may_be_taken_back(person, hands):
    assert person.apply(hands.path).code == 0
    assert person.on("hand-over", hands.path, "--yes").code == 0
    result = person.apply(hands.path)
    assert result.code == 6
    assert "are there already and of no stack" in result.err
    assert person.on("adopt", hands.path, "--yes").code == 0
    assert person.on("diff", hands.path).out == ""


def test_what_an_unknown_writer_has_stays_his(person, hands):
    """Only what is declared becomes ours: an apply takes away what was ours and is not declared."""
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "redis-config", "namespace": "shop"}}
    more = {**theirs, "data": {"theirs.conf": "x"}}
    asyncio.run(hands._with(lambda cluster: cluster.create(more, manager=UNKNOWN_WRITER)))
    person.on("adopt", hands.path, "--yes")
    assert person.apply(hands.path).code == 0
    assert person.server.find("ConfigMap", "redis-config")["data"]["theirs.conf"] == "x"


def test_pulumi_over_an_object_of_nobodys_is_refused_unless_it_is_meant(person, hands, monkeypatch):
    hands.pulumi([item for item in hands.declared() if item["kind"] == "Namespace"])
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "redis-config", "namespace": "shop"}}
    asyncio.run(hands._with(lambda cluster: cluster.create(theirs, manager="kubectl-create")))
    _, [reason] = hands.against_pulumi()
    assert reason.startswith("ConfigMap shop/redis-config is there already and not Pulumi's: rename, ")
    monkeypatch.setenv(UPSERT, "false")
    assert hands.against_pulumi()[1] == [reason]
    monkeypatch.setenv(UPSERT, "true")
    assert hands.against_pulumi()[1] == []


def test_pulumi_next_to_another_applied_environment(person, hands):
    other = TEXT.replace("namespace: shop", "namespace: other")
    gateway = "    gateway: {exposure: {type: NodePort, httpNodePort: 30080}}\n"
    assert person.apply(person.stack("other", other + gateway)).code == 0
    person.stack("shop", TEXT + gateway)
    _, reasons = hands.against_pulumi()
    assert any("GatewayClass contour is kept by stack other of namespace other" in each for each in reasons)
    assert any("environment.gateway.class" in each for each in reasons)
    assert any("node port 30080" in each for each in reasons)


def test_storage_is_not_edited_by_pulumi(person, hands):
    hands.pulumi(hands.declared())
    person.stack("shop", TEXT.replace("1Gi", "99Gi"))
    _, [reason] = hands.against_pulumi()
    assert "StatefulSet shop/redis: its volumes cannot be changed in place" in reason


def test_drawn_values_are_those_that_are_there():
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
    there = filled(secret, draw({"password": "{random:8}"}))
    assert _with_values(secret, {"password": "{random:8}"}, there)["data"] == there["data"]
    assert _with_values(secret, {"password": "{random:8}"}, None)["data"] != there["data"]


def engine(person, name):
    text = TEXT.replace("namespace: shop", f"namespace: {name}")
    return person.stack(name, text + "    controller: {image: 'registry.example.com/grayling:1'}\n")


def test_definitions_that_pulumi_keeps_are_shared_by_apply(person, hands):
    hands.pulumi(rendered(find(engine(person, "first"))))
    result = person.apply(engine(person, "second"))
    assert result.code == 0, result.err
    assert "grayreleases.grayling.dev is kept by a Pulumi stack (first/first) and shared as it is" in result.err
    second = str(person.project / "stacks" / "Pulumi.second.yaml")
    assert "0 adopted" in person.on("adopt", second, "--yes").err
    alone = ("--only", "CustomResourceDefinition/*")
    assert "3 adopted" in person.on("adopt", second, "--yes", *alone).err
    assert "CustomResourceDefinition grayreleases.grayling.dev is kept by" not in person.on("diff", second).err
    policies = ("--only", "ValidatingAdmissionPolicy*")
    assert "2 adopted" in person.on("adopt", second, "--yes", *policies).err
    assert "is kept by" not in person.on("diff", second).err


def test_definitions_of_another_environment_are_not_made_again_by_pulumi(person, hands):
    hands.pulumi(rendered(find(engine(person, "first"))))
    engine(person, "shop")
    _, reasons = hands.against_pulumi()
    fix = "is kept by a Pulumi stack (first/first): share it with controller.installDefinitions: false"
    told = [each for each in reasons if fix in each]
    assert [each.partition(" ")[0] for each in told] == [item["kind"] for item in (*definitions(), *policies())]


def test_pulumi_is_told_of_a_gateway_that_is_not_there(person, hands):
    place = "namespace: shop, engine: {namespace: ops}, gateway: {parent: {name: public, namespace: edge}}"
    services = "  grayling:services: {web: {image: 'r.example.com/web:1', traffic: {}}}\n"
    person.stack("shop", TEXT.replace("namespace: shop", place) + services)
    _, reasons = hands.against_pulumi()
    assert any("no Gateway edge/public, which environment.gateway.parent names" in each for each in reasons)

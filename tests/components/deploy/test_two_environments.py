"""Two environments on one cluster: definitions and classes have one owner, and no environment takes them away."""

from __future__ import annotations

import pytest

from manifests.render import definitions, policies
from tests.components.conftest import read

CRD = "CustomResourceDefinition/grayreleases.grayling.dev"
LASTING = (*definitions(), *policies())
ENGINE = "controller: {image: 'registry.example.com/grayling:1'}"


def env(namespace, components=ENGINE, more="", environment=""):
    return (
        f"config:\n  grayling:environment: {{tier: dev, namespace: {namespace}, owners: [a]{environment}}}\n"
        f"  grayling:components:\n    {components}\n{more}"
    )


SERVING = "controller: {image: 'registry.example.com/grayling:1', namespaces: [env-b]}"
SERVICES = "  grayling:services:\n    web: {image: 'registry.example.com/web:1'}\n"


@pytest.fixture
def both(person):
    paths = [person.stack(name, env(name)) for name in ("env-a", "env-b")]
    assert person.apply(paths[0]).code == 0
    second = person.apply(paths[1])
    assert second.code == 0, second.err
    assert "CustomResourceDefinition grayreleases.grayling.dev is kept by stack env-a of namespace env-a" in second.err
    return paths


def owner(person):
    meta = person.server.find("CustomResourceDefinition", "grayreleases.grayling.dev", "")["metadata"]
    return meta["annotations"].get("grayling.dev/owner"), "applyset.kubernetes.io/part-of" in meta["labels"]


def test_each_goes_and_comes_back_and_the_definitions_stay(person, both):
    for path in (both[1], both[0]):
        assert owner(person)[0] == "env-a/env-a"
        assert person.on("destroy", path, "--yes", "--timeout", "5").code == 0
        assert CRD in person.labels()
        assert person.apply(path).code == 0
    assert person.on("diff", both[0]).err.splitlines()[-1] == "no difference"


def test_definitions_without_an_owner_go_to_the_next_that_applies(person, both):
    destroyed = person.on("destroy", both[0], "--yes", "--timeout", "5")
    kept = destroyed.err.partition("kept: ")[2]
    assert all(each["metadata"]["name"] in kept for each in LASTING)
    assert owner(person) == (None, False)
    assert person.apply(both[1]).code == 0
    assert owner(person) == ("env-b/env-b", True)
    assert person.apply(both[0]).code == 0
    assert owner(person) == ("env-b/env-b", True)


def test_without_the_controller_the_definitions_stay(person, both):
    person.stack("env-a", env("env-a", "redis: {image: 'r.example.com/redis:7.0'}"))
    assert person.apply(both[0], "--allow-delete").code == 0
    assert CRD in person.labels()
    assert owner(person) == (None, False)


def test_newer_definitions_come_by_their_owner_alone(person, both):
    def older():
        found = person.server.find("CustomResourceDefinition", "grayreleases.grayling.dev", "")
        found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"].pop("spec")
        person.server.put(found)

    person.done(older)
    result = person.apply(both[1])
    assert result.code == 6
    assert "is kept by stack env-a of namespace env-a and is not the one this stack needs" in result.err
    assert "bring its owner to this version first, or set controller.installDefinitions: false" in result.err
    assert person.apply(both[0], "--force-conflicts").code == 0
    assert person.apply(both[1]).code == 0


def test_a_class_is_shared_and_outlives_its_owner(person):
    gateways = [person.stack(name, env(name, "gateway: {exposure: {type: ClusterIP}}")) for name in ("env-a", "env-b")]
    assert person.apply(gateways[0]).code == 0
    assert "GatewayClass contour is kept by stack env-a" in person.apply(gateways[1]).err
    assert person.on("destroy", gateways[0], "--yes", "--timeout", "5").code == 0
    assert "GatewayClass/contour" in person.labels()
    assert person.on("destroy", gateways[1], "--yes", "--timeout", "5").code == 0
    assert "GatewayClass/contour" in person.labels(), "nobody's now"
    assert person.apply(gateways[0]).code == 0
    assert person.on("destroy", gateways[0], "--yes", "--timeout", "5").code == 0
    assert "GatewayClass/contour" not in person.labels()


def test_a_class_of_another_controller(person):
    theirs = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "contour", "labels": {"applyset.kubernetes.io/part-of": "applyset-x-v1"}},
        "spec": {"controllerName": "example.com/other"},
    }
    person.done(lambda: person.server.put(theirs))
    result = person.apply(person.stack("env-a", env("env-a", "gateway: {exposure: {type: ClusterIP}}")))
    assert result.code == 6
    assert "name another class in environment.gateway.class" in result.err


def test_services_without_an_engine(person):
    path = person.stack("env-b", env("env-b", "redis: {image: 'r.example.com/redis:7.0'}", SERVICES))
    told = person.grayling("validate", path)
    assert (told.code, "a warning in this tier" in told.err) == (0, True)
    text = env("env-c", "redis: {image: 'r.example.com/redis:7.0'}", SERVICES).replace("tier: dev", "tier: prod")
    careful = person.stack("env-c", text)
    for command in (("validate", careful), ("apply", path, "--yes"), ("diff", path)):
        result = person.grayling(*command)
        assert result.code == 2
        assert "grayling:environment.engine: no engine would bring in the versions of web" in result.err
        assert "environment.engine: {namespace: …}" in result.err


def test_the_engine_of_another_environment(person):
    engine = ", engine: {namespace: env-a}"
    other = person.stack("env-b", env("env-b", "redis: {image: 'r.example.com/redis:7.0'}", SERVICES, engine))
    assert person.grayling("validate", other).code == 0
    result = person.apply(other)
    assert result.code == 6
    assert "no engine in namespace env-a, which environment.engine names" in result.err
    first = person.stack("env-a", env("env-a", SERVING))
    result = person.apply(first)
    assert result.code == 6
    assert "namespace env-b does not exist: apply the environment that makes it first" in result.err
    assert person.labels() == set()
    person.stack("env-a", env("env-a"))
    assert person.apply(first).code == 0
    told = person.apply(other)
    assert told.code == 0
    assert "Deployment env-a/controller does not serve env-b yet" in told.err
    person.stack("env-a", env("env-a", SERVING))
    assert person.apply(first).code == 0
    assert "does not serve" not in person.on("diff", other).err
    destroyed = person.on("destroy", first, "--yes", "--timeout", "5")
    assert "without an engine from then on: GrayRelease env-b/web" in destroyed.err
    assert "GrayRelease/env-b/web" in person.labels()


def test_definitions_go_by_their_own_command_and_only_when_unused(person):
    path = person.stack("env-a", env("env-a", ENGINE, SERVICES))
    assert person.apply(path).code == 0
    result = person.on("definitions", "delete", "--yes")
    assert result.code == 6
    assert "GrayRelease env-a/web; destroy their stacks first" in result.err
    assert person.on("destroy", path, "--yes", "--timeout", "5").code == 0
    older = LASTING[-1] | {"metadata": {"name": "approvals.grayling.dev-00000000"}}
    others = LASTING[-2] | {"metadata": {"name": "no-latest-tags"}}
    for item in (older, others):
        person.done(lambda item=item: person.server.put(item))
    assert person.on("definitions", "delete", "--yes", "--timeout", "5").code == 0
    assert person.labels() == {"ValidatingAdmissionPolicy/no-latest-tags"}
    assert "there are none" in person.on("definitions", "delete", "--yes").err


@pytest.mark.parametrize("tier", ["local", "dev", "staging", "prod"])
def test_definitions_are_kept_in_every_tier(tier):
    place = {"tier": tier, "namespace": "shop", "owners": ["a"]}
    found = read(environment=place, components={"controller": {"image": "r.example.com/grayling:1"}}).manifests()
    kept = [
        item["metadata"]["annotations"].get("grayling.dev/on-destroy")
        for item in found
        if item["kind"].startswith(("CustomResourceDefinition", "ValidatingAdmissionPolicy"))
    ]
    assert kept == 5 * ["keep"]


def finalized(person, name, namespace):
    release = {
        "apiVersion": "grayling.dev/v1alpha1",
        "kind": "GrayRelease",
        "metadata": {"name": name, "namespace": namespace, "finalizers": ["grayling.dev/release"]},
    }
    person.done(lambda: person.server.put(release))


def test_a_release_that_no_engine_lets_go(person):
    """Also one that is no part of the stack: it would hold the namespace for ever."""
    path = person.stack("env-a", env("env-a"))
    assert person.apply(path).code == 0
    finalized(person, "guest", "env-a")
    result = person.on("destroy", path, "--yes", "--timeout", "1")
    assert result.code == 10
    assert "releases with everything they serve: GrayRelease env-a/guest" in result.err
    assert "GrayRelease env-a/guest is not gone after 1 s: held by grayling.dev/release" in result.err
    assert "go on without it with --without-engine" in result.err
    assert "Deployment/env-a/controller" in person.labels(), "the engine stays while releases are there"
    assert person.on("destroy", path, "--yes", "--timeout", "5", "--without-engine").code == 0
    assert person.labels() == {f"{item['kind']}/{item['metadata']['name']}" for item in LASTING}


def test_what_is_retained_is_taken_up_again(person):
    path = person.stack(
        "shop", env("shop", "redis: {image: 'r.example.com/redis:7.0'}").replace("tier: dev", "tier: staging")
    )
    assert person.apply(path).code == 0
    password = person.server.find("Secret", "redis-auth")["data"]
    destroyed = person.on("destroy", path, "--yes", "--timeout", "5")
    assert "kept: " in destroyed.err
    assert person.labels() == {"Namespace/shop", "Secret/shop/redis-auth", "ConfigMap/shop/grayling-stack-shop"}
    assert person.apply(path).code == 0
    assert person.server.find("Secret", "redis-auth")["data"] == password
    assert person.on("diff", path).out == ""


def test_a_namespace_that_nobody_made(person):
    path = person.stack("shop", env("shop", environment=", createNamespace: false"))
    result = person.apply(path)
    assert result.code == 6
    assert "namespace shop does not exist: create it, or let the stack do so" in result.err
    assert person.labels() == set()


def test_releases_without_their_definition(person):
    without = ENGINE.replace("1'}", "1', installDefinitions: false}")
    result = person.apply(person.stack("shop", env("shop", without, SERVICES)))
    assert result.code == 6
    assert "CustomResourceDefinition grayreleases.grayling.dev is not on the cluster" in result.err
    assert person.labels() == set()

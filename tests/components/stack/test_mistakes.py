"""Every mistake a person can make in a stack file: named with its place, its value and the way out, all at once."""

from __future__ import annotations

import pytest

from components.model.mistakes import StackError
from components.stack.platform import Platform
from tests.components.conftest import read, small


def said(**sections) -> str:
    with pytest.raises(StackError) as caught:
        read(**sections).manifests()
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_smallest_stack_is_a_namespace_that_denies_everything():
    manifests = read().manifests()
    assert [item["kind"] for item in manifests] == ["Namespace", "NetworkPolicy"]
    assert manifests[1]["spec"]["podSelector"] == {}


def test_all_mistakes_of_a_file_come_at_once():
    text = said(
        environment={"tier": "locl", "namespace": "Shop_1", "owners": []},
        components={"redis": {"storge": "1Gi", "eviction": "random"}, "reddis": {}},
        services={"checkout": {"port": 99999}},
    )
    assert text.startswith("stacks/Pulumi.test.yaml: 8 mistakes\n")
    for part in (
        "grayling:environment.tier: is no tier (found 'locl'); did you mean 'local'?",
        "grayling:environment.namespace: is no namespace (found 'Shop_1'); use at most 63 of a-z, 0-9 and -",
        "grayling:environment.owners: has too few entries",
        "grayling:components.redis.storge: no such key (found '1Gi'); did you mean 'storage'?",
        "grayling:components.redis.eviction",
        "grayling:components.reddis: no component 'reddis'; did you mean 'redis'?",
        "grayling:services.checkout.image: is required; add it",
        "grayling:services.checkout.port: is too much (found 99999); at most 65535",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"environmnt": {}}, "grayling:environmnt: no such key (found {}); did you mean 'environment'?"),
        ({"environment": None}, "grayling:environment: is required"),
        ({"environment": "local"}, "grayling:environment"),
        ({"components": ["redis"]}, "grayling:components: must be a map of names to settings (found ['redis'])"),
        ({"components": {"redis": "big"}}, "grayling:components.redis: must be a map of settings, {} for none"),
        ({"components": {"Redis_1": {}}}, "is no name (found 'Redis_1'); use at most 40 of a-z, 0-9 and -"),
        ({"components": {"cache": {}}}, "grayling:components.cache: no component 'cache'"),
        ({"services": {"redis": {"image": "a/b:1"}}, "components": {"redis": {}}}, "the name 'redis' is taken"),
        (
            {"services": {"a": {"image": "a/b:1", "uses": ["reddis"]}}, "components": {"redis": {}}},
            "did you mean 'redis'",
        ),
        ({"services": {"a": {"image": "a/b"}}}, "image: does not name one build (it has no tag) (found 'a/b'); give"),
        ({"services": {"a": {"image": "a/b:latest"}}}, "tag 'latest' moves"),
        ({"services": {"a": {"image": "a/b:1", "port": None, "traffic": {}}}}, "traffic needs a port"),
        (
            {"services": {"a": {"image": "a/b:1", "strategy": {"steps": [{"weight": 50}, {"weight": 20}]}}}},
            "weights must rise from step to step, found [50, 20]",
        ),
        (
            {"services": {"a": {"image": "a/b:1", "strategy": {"steps": [{"weight": 50, "hold": "soon"}]}}}},
            "hold: is no duration (found 'soon'); write it like 250ms, 30s, 5m or 1h30m",
        ),
        (
            {
                "services": {
                    "a": {
                        "image": "a/b:1",
                        "traffic": {},
                        "analysis": {"signals": [{"name": "errors", "kind": "errors", "source": "gateway"}]},
                    }
                }
            },
            "grayling:services.a: signal errors: source gateway needs sources.gateway",
        ),
        ({"components": {"rabbitmq": {"members": 2}}}, "grayling:components.rabbitmq.members"),
        (
            {"components": {"redis": {"storage": "1 GB"}}},
            "redis.storage: is no size (found '1 GB'); write it like 512Mi or 2Gi",
        ),
        ({"components": {"controller": {}}}, "grayling:components.controller.image: is required"),
        ({"components": {"gateway": {"exposure": {"type": "ClusterIP", "httpNodePort": 30080}}}}, "has no node port"),
        ({"components": {"prometheus": {"scrapeInterval": "10ms"}}}, "at least 250ms"),
        (
            {"services": {"a": {"image": "a/b:1", "strategy": {"driver": "replicas"}}}},
            "grayling:services.a.strategy.driver: replicas is not built in this version; write gateway",
        ),
        (
            {"services": {"a": {"image": "a/b:1", "record": True, "recording": True}}},
            "grayling:services.a.record: it is the old name of recording, which is given too; leave record out",
        ),
    ],
)
def test_one_mistake(sections, expected):
    assert expected in said(**sections)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"images": {"docker.io/": "mirror"}}, "must both end in /"),
        ({"images": {"docker.io/a": "mirror/a:latest"}}, "tag 'latest' moves"),
        ({"profile": {"replicas": 0}}, "grayling:environment.profile.replicas"),
        (
            {"profile": {"replica": 2}},
            "grayling:environment.profile.replica: no such key (found 2); did you mean 'replicas'?",
        ),
        (
            {"gateway": {"classs": "x"}},
            "grayling:environment.gateway.classs: no such key (found 'x'); did you mean 'class'?",
        ),
        ({"owners": [" "]}, "environment.owners.0: is no owner (found ' '); name a team on one line"),
    ],
)
def test_a_mistake_in_the_environment(environment, expected):
    base = small()["environment"]
    assert expected in said(environment={**base, **environment})


def test_a_secret_with_a_mistake_is_not_shown():
    text = said(secrets={"payment": {"token": ["hunter2"]}})
    assert "grayling:secrets.payment.token" in text
    assert "hunter2" not in text


def test_two_components_that_claim_one_object():
    text = said(components={"redis": {}, "redis-nodes": {"kind": "redis"}})
    assert "'redis-nodes' is declared by 'redis' too" in text


def test_a_tier_fills_the_profile_and_the_file_overrides_it():
    environment = {**small()["environment"], "tier": "staging", "profile": {"replicas": 5}}
    platform = Platform.read({"environment": environment}, stack="s", source="f")
    assert platform.environment.profile.replicas == 5
    assert platform.environment.profile.members == 3

"""Revisions: what names them, and what they are made of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.api.revision import (
    image_of,
    manifests_of,
    replicas_for,
    revision_of,
)
from rollout.api.spec import Spec
from tests.rollout.decide.world import spec_of


def made(spec: Spec) -> dict:
    found = manifests_of("shop", "prod", "uid-1", spec, replicas=3)
    assert found[-1]["kind"] == "Deployment", "the last one, so that it finds what it mounts"
    return {each["kind"]: each for each in found}


@pytest.mark.parametrize(
    "changes",
    [
        {"workload": {"replicas": 9}},
        {"strategy": {"bake": 1}},
        {"analysis": {"signals": []}},
        {"traffic": {"hostnames": ["shop.example"]}},
        {"workload": {"config_mount_path": "/elsewhere"}},
        {"deletion": "Orphan"},
    ],
)
def test_what_starts_no_release(changes: dict):
    assert revision_of("shop", spec_of("v1", **changes)) == revision_of("shop", spec_of("v1"))


@pytest.mark.parametrize(
    "changes",
    [
        {"workload": {"config": {"app.yaml": "a: 1"}}},
        {"workload": {"ports": [{"name": "http", "port": 81}]}},
        {"workload": {"template": {"metadata": {"labels": {"a": "b"}}}}},
    ],
)
def test_what_makes_another_revision(changes: dict):
    assert revision_of("shop", spec_of("v1", **changes)) != revision_of("shop", spec_of("v1"))


def test_the_mount_path_counts_where_there_are_files():
    files = {"config": {"app.yaml": "a: 1"}}
    moved = spec_of("v1", workload={**files, "config_mount_path": "/elsewhere"})
    assert revision_of("shop", moved) != revision_of("shop", spec_of("v1", workload=files))


def test_the_order_of_keys_does_not_count():
    pods = {"containers": [{"name": "a", "image": "i"}]}
    one = Spec.model_validate({"workload": {"template": {"spec": pods, "metadata": {"a": {"c": 2, "d": 3}}}}})
    other = Spec.model_validate({"workload": {"template": {"metadata": {"a": {"d": 3, "c": 2}}, "spec": pods}}})
    assert revision_of("shop", one) == revision_of("shop", other)


def test_image():
    assert image_of(spec_of("registry/shop:2")) == "registry/shop:2"


def test_objects_belong_to_the_release_and_find_their_pods():
    container = {"name": "main", "image": "v1", "ports": [{"name": "web", "containerPort": 8080}]}
    workload = {"config": {"app.yaml": "a: 1"}, "ports": [PORT, {"name": "b", "port": 9}]}
    spec = spec_of("v1", workload={**workload, "template": {"spec": {"containers": [container]}}})
    found = made(spec)
    name = revision_of("shop", spec)
    for each in found.values():
        assert each["metadata"]["name"] == name
        assert each["metadata"]["ownerReferences"][0]["uid"] == "uid-1"
    deployment = found["Deployment"]["spec"]
    assert deployment["replicas"] == 3
    labels = deployment["template"]["metadata"]["labels"]
    selectors = (
        deployment["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    )
    for selector in selectors:
        assert selector.items() <= labels.items()
    assert found["ConfigMap"]["data"] == {"app.yaml": "a: 1"}
    assert found["ConfigMap"]["immutable"]
    mount = deployment["template"]["spec"]["containers"][0]["volumeMounts"][0]
    volume = deployment["template"]["spec"]["volumes"][0]
    assert mount["name"] == volume["name"]
    assert volume["configMap"]["name"] == name
    assert [port.get("appProtocol") for port in found["Service"]["spec"]["ports"]] == ["kubernetes.io/h2c", None]
    assert [port["targetPort"] for port in found["Service"]["spec"]["ports"]] == ["web", 9]


PORT = {"name": "a", "port": 80, "target_port": "web", "app_protocol": "kubernetes.io/h2c"}


def test_what_is_not_asked_for_is_not_made():
    template = {"spec": {"containers": [{"name": "a", "image": "i"}]}}
    found = made(Spec.model_validate({"workload": {"template": template}}))
    assert set(found) == {"Deployment", "PodDisruptionBudget"}


def test_making_objects_leaves_the_spec_alone():
    spec = spec_of("v1", workload={"config": {"a": "b"}})
    before = spec.wire()
    made(spec)
    assert spec.wire() == before


@settings(derandomize=True, deadline=None)
@given(total=st.integers(1, 1000), weight=st.integers(1, 100))
def test_pods_carry_their_share(total: int, weight: int):
    pods = replicas_for(total, weight)
    assert 1 <= pods <= total
    assert pods * 100 >= total * weight
    assert replicas_for(total, 100) == total

"""Mistakes in a pod template that are told without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from rollout.api.typos import MOST_TOLD, mistakes_in
from tests.rollout import crooked, samples
from tests.rollout.anything import damaged

AT = "spec.workload.template"


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", "image": "x", **fields}]}}


@pytest.mark.parametrize(
    ("template", "told"),
    [
        (
            container(readynessProbe={}),
            "spec.containers[0].readynessProbe: Kubernetes has no such field; did you mean r",
        ),
        (container(imagepullpolicy="Always"), "imagepullpolicy: Kubernetes has no such field; did you mean imagePull"),
        (container(zzz=1), ".zzz: Kubernetes has no such field"),
        (container(ports=[{"containerPort": "80"}]), "ports[0].containerPort: '80' is not a whole number"),
        (container(ports={"containerPort": 80}), "ports: {'containerPort': 80} is no list"),
        (container(env=[{"name": "PORT", "value": 80}]), "env[0].value: 80 is not a text (in quotes)"),
        (container(env=[{"name": "ON", "value": True}]), "env[0].value: True is not a text (in quotes)"),
        (container(tty="yes"), "tty: 'yes' is not true or false"),
        (container(stdin=1), "stdin: 1 is not true or false"),
        (container(ports=[{"containerPort": True}]), "containerPort: True is not a whole number"),
        (container(resources={"limit": {}}), "resources.limit: Kubernetes has no such field; did you mean limits?"),
        (container(resources="small"), "resources: 'small' is no map"),
        (container(command=["a", 1]), "command[1]: 1 is not a text (in quotes)"),
        ({"spec": {"nodeSelector": {"ssd": True}, "containers": []}}, "nodeSelector.ssd: True is not a text"),
        ({"spec": {"nodeSelector": ["ssd"], "containers": []}}, "nodeSelector: ['ssd'] is no map"),
        ({"metadata": {"label": {}}}, "metadata.label: Kubernetes has no such field; did you mean labels?"),
    ],
)
def test_each_mistake_is_told_with_its_place(template: dict[str, Any], told: str) -> None:
    [found] = mistakes_in(template)
    assert found.startswith(f"{AT}.")
    assert told in found


@pytest.mark.parametrize(
    "template",
    [
        samples.TEMPLATE,
        crooked.release("x")["spec"]["workload"]["template"],
        container(resources={"limits": {"cpu": 2, "memory": "1Gi"}, "requests": {"cpu": 0.5}}),
        container(livenessProbe={"httpGet": {"port": "http"}}, readinessProbe={"httpGet": {"port": 80}}),
        container(command=None, env=[{"name": "A", "value": None}]),
        {"metadata": {"labels": None, "creationTimestamp": None}, "spec": {"volumes": [{"name": "t", "emptyDir": {}}]}},
        {"spec": {"volumes": [{"name": "t", "emptyDir": {"sizeLimit": 100}}], "hostUsers": False}},
    ],
)
def test_what_kubernetes_takes_is_no_mistake(template: dict[str, Any]) -> None:
    assert mistakes_in(template) == []


def test_every_template_of_our_own_is_without_mistakes() -> None:
    """All that the golden files of the components declare."""
    seen = 0
    for file in Path(__file__).parents[2].glob("components/golden/**/*.yaml"):
        for each in yaml.safe_load_all(file.read_text()):
            if isinstance(each, dict) and each.get("kind") in {"Deployment", "StatefulSet", "DaemonSet"}:
                assert mistakes_in(each["spec"]["template"]) == [], (file, each["metadata"]["name"])
                seen += 1
            if isinstance(each, dict) and each.get("kind") == "GrayRelease":
                assert mistakes_in(each["spec"]["workload"]["template"]) == [], (file, each["metadata"]["name"])
                seen += 1
    assert seen > 5


def test_many_mistakes_are_bounded() -> None:
    assert len(mistakes_in({f"x{index}": 1 for index in range(1000)})) == MOST_TOLD


@given(damaged(crooked.release("x")["spec"]["workload"]["template"]))
@settings(max_examples=150, deadline=None)
def test_whatever_stands_there_is_read(template: Any) -> None:
    assert all(each.startswith(AT) for each in mistakes_in(template))

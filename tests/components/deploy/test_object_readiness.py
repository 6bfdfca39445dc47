"""When an object is ready, when waiting cannot help, and how trouble is told."""

from __future__ import annotations

import pytest

from components.deploy.difference import HIDDEN, masked, unified
from components.deploy.object_readiness import pod_trouble, readiness
from components.model.layers import ordered, waves


def live(kind, spec=None, status=None, generation=1):
    return {"kind": kind, "metadata": {"generation": generation}, "spec": spec or {}, "status": status or {}}


def condition(name, status="True", reason="", message=""):
    return {"type": name, "status": status, "reason": reason, "message": message}


UP = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("item", "ready", "failed"),
    [
        (live("ConfigMap"), True, False),
        (live("Deployment", {"replicas": 2}, UP), True, False),
        (live("Deployment", {"replicas": 2}, UP, generation=2), False, False),
        (live("Deployment", {"replicas": 2}, {**UP, "replicas": 3}), False, False),
        (live("Deployment", {"replicas": 2}, {}), False, False),
        (
            live(
                "Deployment",
                {},
                {
                    "observedGeneration": 1,
                    "conditions": [condition("Progressing", "False", "ProgressDeadlineExceeded")],
                },
            ),
            False,
            True,
        ),
        (live("StatefulSet", {"replicas": 2}, {**UP, "currentRevision": "a", "updateRevision": "a"}), True, False),
        (live("StatefulSet", {"replicas": 2}, {**UP, "updatedReplicas": 1, "currentRevision": "a"}), False, False),
        # Made anew around pods of the one before, which are still to start again.
        (
            live(
                "StatefulSet",
                {"replicas": 2},
                {**UP, "updatedReplicas": 0, "currentRevision": "b", "updateRevision": "b"},
            ),
            False,
            False,
        ),
        (live("DaemonSet", {}, {"observedGeneration": 1, "desiredNumberScheduled": 1}), False, False),
        (live("Job", {}, {"conditions": [condition("Complete")]}), True, False),
        (live("Job", {}, {"conditions": [condition("Failed", message="backoff")]}), False, True),
        (live("Job"), False, False),
        (live("Gateway", {}, {"conditions": [condition("Accepted"), condition("Programmed")]}), True, False),
        (live("Gateway", {}, {"conditions": [condition("Accepted")]}), False, False),
        (live("CustomResourceDefinition", {}, {"conditions": [condition("Established")]}), True, False),
        (
            live(
                "CustomResourceDefinition",
                {},
                {"conditions": [condition("NamesAccepted", "False", "Taken", "x")]},
            ),
            False,
            True,
        ),
        (live("PersistentVolumeClaim", {}, {"phase": "Bound"}), True, False),
        (live("Kafka", {}, {"observedGeneration": 1, "conditions": [condition("Ready")]}), True, False),
        (live("Kafka", {}, {"conditions": [condition("Ready")]}), False, False),
        (live("KafkaUser", {}, {"observedGeneration": 1, "conditions": [condition("NotReady")]}), False, False),
        (live("Kafka"), False, False),
        (live("PersistentVolumeClaim", {}, {"phase": "Lost"}), False, True),
    ],
)
def test_readiness(item, ready, failed):
    found = readiness(item)
    assert (found.ready, found.failed) == (ready, failed)
    assert ready or found.reason


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"conditions": [condition("PodScheduled", "False", message="no node fits")]}, "no node fits"),
        (
            {
                "containerStatuses": [
                    {"name": "a", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}}
                ]
            },
            "container a: ImagePullBackOff: no",
        ),
        ({"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        (
            {"initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}]},
            "container i exited with 3 (Error)",
        ),
        (
            {"containerStatuses": [{"name": "a", "ready": False, "state": {"running": {"startedAt": "x"}}}]},
            "container a runs and is not ready",
        ),
    ],
)
def test_pod_trouble(status, said):
    assert pod_trouble({"status": status}) == said


def test_a_secret_in_a_difference_is_hidden_and_a_changed_one_says_so():
    before = {"kind": "Secret", "metadata": {"name": "s", "uid": "1"}, "data": {"a": "b25l", "b": "dHdv"}}
    after = {"kind": "Secret", "metadata": {"name": "s", "uid": "2"}, "data": {"a": "b25l", "b": "c2l4"}}
    text = unified(masked(before, None), masked(after, before))
    assert f"+  b: {HIDDEN} changed".replace("b: ", "b: ") in text.replace("'", "")
    assert "c2l4" not in text
    assert "uid" not in text
    assert unified(masked(before, None), masked(before, before)) == ""


def test_waves_go_from_what_carries_nothing_to_what_runs():
    def item(kind, name, layer="instances"):
        meta = {"name": name, "annotations": {"grayling.dev/layer": layer}}
        return {"apiVersion": "v1", "kind": kind, "metadata": meta}

    items = [
        item("StatefulSet", "b"),
        item("Secret", "s"),
        item("Namespace", "n", "crds"),
        item("Deployment", "o", "operators"),
    ]
    assert [one["kind"] for one in ordered(items)] == ["Namespace", "Deployment", "Secret", "StatefulSet"]
    assert [layer.value for layer, _ in waves(items)] == ["crds", "operators", "instances", "instances"]

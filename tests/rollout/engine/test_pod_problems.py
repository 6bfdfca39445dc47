from __future__ import annotations

from typing import Any

import pytest

from rollout.api.revision import IMAGES_ANNOTATION
from rollout.decide.observation import RevisionFacts
from rollout.engine.pod_problems import revision_facts
from tests.rollout.sources.builders import T, container, pod


def deployment(replicas: int | None = 1, *conditions: dict[str, Any]) -> dict[str, Any]:
    spec = {} if replicas is None else {"replicas": replicas}
    return {"spec": spec, "status": {"conditions": list(conditions)}}


def waiting(reason: str, message: str = "", **rest: Any) -> dict[str, Any]:
    return container(ready=False, state={"waiting": {"reason": reason, "message": message}}, **rest)


def facts_of(*containers: dict[str, Any], now: float | None = None, **rest: Any) -> RevisionFacts:
    return revision_facts(deployment(), [pod("p", ready=False, containers=list(containers), **rest)], now=now)


def test_ready_pods_are_those_nobody_deleted():
    pods = [pod("a"), pod("b", deleted=True), pod("c", ready=False), pod("d")]
    found = revision_facts(deployment(4), pods)
    assert (found.replicas, found.ready) == (4, 2)
    assert revision_facts(deployment(2), pods) == RevisionFacts(2, 2)
    assert revision_facts(None, []) == RevisionFacts(0, 0)
    assert revision_facts(deployment(None), []) == RevisionFacts(1, 0, "NoPods: its Deployment has made no pod yet")


PULL = 'Back-off pulling image "shop/checkout:v2": ErrImagePull: '


@pytest.mark.parametrize(
    ("status", "fatal", "says"),
    [
        (
            waiting("InvalidImageName", "couldn't parse image"),
            True,
            "InvalidImageName: container app of pod p, image shop",
        ),
        (waiting("ErrImageNeverPull"), True, "ErrImageNeverPull"),
        (waiting("ErrImagePull", "manifest unknown"), False, "ErrImagePull"),
        (waiting("ImagePullBackOff", PULL + "shop/checkout:v2: not found"), True, "shop/checkout:v2: not found"),
        (waiting("ImagePullBackOff", PULL + "dial tcp: i/o timeout"), False, "i/o timeout"),
        (waiting("CreateContainerConfigError", 'configmap "x" not found'), False, 'configmap "x" not found'),
        (waiting("ContainerCreating"), False, "waits for its volumes"),
        (container(ready=False), False, "Unready: container app of pod p runs"),
    ],
)
def test_containers_that_do_not_start(status, fatal, says):
    found = facts_of(status)
    assert says in found.problem
    assert found.fatal is fatal


def test_a_registry_that_does_not_answer_is_given_a_minute():
    status = waiting("ImagePullBackOff", PULL + "dial tcp: i/o timeout")
    assert not facts_of(status, started=T - 30, now=T).fatal
    assert facts_of(status, started=T - 61, now=T).fatal
    assert facts_of(waiting("ErrImagePull", "i/o timeout"), started=T - 61, now=T).fatal


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


@pytest.mark.parametrize(
    ("status", "fatal", "problem"),
    [
        (
            waiting("CrashLoopBackOff", restarts=2, last=ended(1)),
            True,
            "CrashLoopBackOff: container app of pod p ended with exit code 1; restarted 2 times",
        ),
        (
            waiting("CrashLoopBackOff", restarts=1, last=ended(3, "Error", "no\n config")),
            False,
            "CrashLoopBackOff: container app of pod p ended with exit code 3: no config; restarted 1 times",
        ),
        (
            waiting("CrashLoopBackOff", restarts=4, last=ended(137, "OOMKilled")),
            True,
            (
                "CrashLoopBackOff: container app of pod p ended with exit code 137, OOMKilled: "
                "over its memory limit of 64Mi; restarted 4 times"
            ),
        ),
        (
            container(ready=False, restarts=2, state=ended(1)),
            True,
            "Crashed: container app of pod p ended with exit code 1; restarted 2 times",
        ),
        (
            container(ready=False, restarts=3, last=ended(0, "Completed")),
            False,
            "Crashed: container app of pod p ended with exit code 0; restarted 3 times",
        ),
        (
            container(ready=False, state=ended(128, "StartError", "exec: not found")),
            False,
            "Crashed: container app of pod p ended with exit code 128, StartError: exec: not found; restarted 0 times",
        ),
    ],
)
def test_containers_that_die(status, fatal, problem):
    assert facts_of(status, limits={"memory": "64Mi"}) == RevisionFacts(1, 0, problem, fatal)


def test_memory_without_a_limit_of_its_own():
    assert "limit of its node" in facts_of(container(ready=False, last=ended(137, "OOMKilled"))).problem
    other = container("sidecar", ready=False, last=ended(137, "OOMKilled"))
    assert "limit of its node" in facts_of(other).problem


def test_a_container_that_is_ready_again_is_no_problem():
    assert facts_of(container(last=ended(1))).problem == ""


def test_init_containers_that_finish_are_no_problem_and_those_that_fail_are():
    done = container("migrate", ready=True, state=ended(0, "Completed"))
    starting = waiting("PodInitializing")
    assert facts_of(starting, init=[done]).problem == ""
    failing = container("migrate", ready=False, state=ended(2))
    assert "container migrate of pod p ended with exit code 2" in facts_of(starting, init=[failing]).problem
    running = container("migrate", ready=False)
    assert facts_of(starting, init=[running]).problem == ""


def test_pods_without_a_node():
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: cpu"}
    found = facts_of(conditions=[unschedulable])
    assert (found.problem, found.fatal) == ("Unschedulable: pod p: 0/1 nodes: cpu", False)


def test_pods_that_were_thrown_out():
    found = facts_of(phase="Failed", reason="Evicted", message="low on disk")
    assert (found.problem, found.fatal) == ("Evicted: pod p: low on disk", False)
    assert facts_of(phase="Failed").problem == "Failed: pod p: "


def refused(message: str) -> dict[str, Any]:
    return {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}


@pytest.mark.parametrize(
    ("message", "fatal", "is_refused"),
    [
        ('pods "x" is forbidden: exceeded quota: small, requested: cpu=2', False, True),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot', True, True),
        ("admission webhook policy denied the request: no latest tags", True, True),
        ('Pod "x" is invalid: spec.containers[0].image: Required value', True, True),
        ('failed calling webhook "policy": connection refused', False, False),
        ("x" * 1000, False, False),
    ],
)
def test_pods_the_api_server_does_not_take(message, fatal, is_refused):
    found = revision_facts(deployment(1, refused(message)), [])
    assert found.problem.startswith(f"FailedCreate: {message[:399]}")
    assert len(found.problem) < 430
    assert found.fatal is fatal
    assert found.refused is is_refused


def test_a_deadline_that_passed_is_told_when_nothing_better_is_known():
    passed = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too long"}
    fine = {"type": "Available", "status": "True"}
    assert revision_facts(deployment(1, fine, passed), []).problem == "ProgressDeadlineExceeded: too long"
    starting = pod("p", ready=False, containers=[waiting("ContainerCreating")])
    assert "ContainerCreating" in revision_facts(deployment(1, passed), [starting]).problem


def test_the_worst_of_several_pods_is_told():
    unready = pod("a", ready=False)
    hopeless = pod("b", ready=False, containers=[waiting("InvalidImageName")])
    found = revision_facts(deployment(3), [unready, hopeless, pod("c")])
    assert (found.ready, found.fatal) == (1, True)
    assert "pod b" in found.problem


def test_ready_pods_on_nodes_that_will_be_drained_are_counted():
    pods = [pod("a"), pod("b"), pod("c", ready=False), pod("d", deleted=True)]
    found = revision_facts(deployment(2), pods, leaves=lambda each: each["metadata"]["name"] != "a")
    assert (found.ready, found.threatened) == (2, 1)


# ------------------------------------------------------------------ what a revision was made as


OURS = {"manager": "grayling-engine", "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {}}}}
SCALED = {"manager": "kubectl-scale", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
EDITED = {
    "manager": "kubectl-set",
    "operation": "Update",
    "time": "2026-01-01T00:00:09Z",
    "fieldsV1": {"f:spec": {"f:template": {"f:spec": {}}}},
}
RESTORED = {**EDITED, "manager": "velero-server"}


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([], ""),
        ([OURS, SCALED], ""),
        ([OURS, SCALED, EDITED], "its pod template was changed by kubectl-set"),
        ([OURS, {**RESTORED, "time": "2026-01-01T00:00:01Z"}, EDITED], "its pod template was changed by kubectl-set"),
        ([RESTORED], ""),
        ([{"manager": "x"}, {"manager": "y", "fieldsV1": None}], ""),
    ],
)
def test_a_pod_template_that_somebody_else_wrote_is_altered(entries, told):
    made = deployment(1)
    made["metadata"] = {"name": "a", "managedFields": entries}
    assert revision_facts(made, [pod("a")]).altered == told


def test_another_image_is_named_before_who_else_wrote():
    made = deployment(1)
    made["metadata"] = {"annotations": {IMAGES_ANNOTATION: '{"main": "v1"}'}, "managedFields": [OURS, EDITED]}
    made["spec"]["template"] = {"spec": {"containers": [{"name": "main", "image": "v2"}]}}
    assert revision_facts(made, []).altered == "container main runs v2, not v1, written by kubectl-set"

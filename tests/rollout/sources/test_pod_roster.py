from __future__ import annotations

import pytest

from rollout.signals.looks import Arm
from rollout.sources.pod_roster import (
    newest_end,
    ready_since,
    roster_of,
    started_at,
)
from tests.rollout.sources.builders import CANARY, STABLE, T, container, pod, rostered, stamp


def test_pods_of_the_two_revisions_are_taken_and_no_others():
    pods = [
        pod("s", STABLE),
        pod("c", CANARY),
        pod("old", "checkout-33333333"),
        pod("plain", labels={"app": "x"}),
        pod("elsewhere", CANARY, namespace="other"),
    ]
    found = rostered(*pods)
    assert {(each.name, each.arm) for each in found.pods} == {("s", Arm.STABLE), ("c", Arm.CANARY)}


def test_without_a_stable_revision_nothing_is_stable():
    found = roster_of([pod("a", ""), pod("c", CANARY)], namespace="shop", stable="", canary=CANARY)
    assert [each.name for each in found.pods] == ["c"]
    assert found.arm_of("") is None


def test_a_pod_in_plain_words():
    [each] = rostered(pod("c", started=T - 100)).pods
    assert (each.ip, each.started_at, each.ready, each.ready_at) == ("10.0.0.2", T - 100, True, T - 99)
    assert each.port("metrics") == 9000
    assert each.port("9001") == each.port(9001) == 9001
    assert each.port("grpc") is None
    assert each.age(T) == 99
    assert each.age(T - 1000) == 0


def test_unready_terminating_and_failed_pods_are_told_apart():
    unready, going, evicted, failed = rostered(
        pod("a", ready=False),
        pod("b", deleted=True),
        pod("c", phase="Failed", reason="Evicted", ready=False),
        pod("d", phase="Failed", ready=False),
    ).pods
    assert not unready.ready
    assert unready.age(T) == 1000
    assert going.terminating
    assert not going.ready
    assert (evicted.failed, failed.failed, unready.failed) == ("Evicted", "Failed", "")
    assert not evicted.running


@pytest.mark.parametrize(
    ("status", "deaths"),
    [
        (container(), 0),
        (container(restarts=2), 2),
        (container(restarts=2, state={"terminated": {"exitCode": 1}}), 3),
        (container(restarts=2, state={"waiting": {"reason": "CrashLoopBackOff"}}), 3),
        (container(state={"waiting": {"reason": "ContainerCreating"}}), 0),
    ],
)
def test_deaths_never_fall_between_the_states_of_one_death(status, deaths):
    assert rostered(pod(containers=[status])).pods[0].deaths == deaths


def test_sidecars_count_and_ordinary_init_containers_do_not():
    sick = container("proxy", restarts=3)
    made = pod(init=[sick, container("migrate", restarts=5)])
    made["spec"]["initContainers"][0]["restartPolicy"] = "Always"
    assert rostered(made).pods[0].deaths == 3


def test_out_of_memory_is_read_from_the_newest_end():
    oom = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    assert rostered(pod(containers=[container(restarts=1, last=oom)])).pods[0].oom_killed
    later = container(restarts=1, last=oom, state={"terminated": {"reason": "Error", "exitCode": 1}})
    assert not rostered(pod(containers=[later])).pods[0].oom_killed
    assert newest_end({}) == {}


def test_pods_that_were_only_just_created():
    bare = {"metadata": {"name": "x", "creationTimestamp": stamp(T)}}
    assert started_at(bare) == T
    assert ready_since(bare) is None
    assert started_at({"metadata": {"name": "x"}}) == 0
    ready = pod(started=T)
    del ready["status"]["conditions"][0]["lastTransitionTime"]
    assert ready_since(ready) == T

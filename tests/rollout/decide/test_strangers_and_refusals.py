"""Silence, strangers on the route and refused objects: who is to blame, and what is said of it."""

from __future__ import annotations

import pytest

from rollout.api.status import Phase
from rollout.decide.observation import Failure
from tests.rollout.decide.simulation import serving, stepping_at
from tests.rollout.decide.test_rollbacks import baking
from tests.rollout.decide.world import EPOCH, revision


@pytest.mark.parametrize("phase", ["stepping", "waiting for pods", "baking"])
def test_a_canary_that_gives_no_answers_is_taken_back_in_every_phase(phase: str):
    if phase == "baking":
        made = baking()
    else:
        made = stepping_at(20)
        if phase == "waiting for pods":
            made.world.image("v2").most_ready = 1
            made.reach(lambda: made.status.step == 2)
    made.world.missing = 20.0
    made.look()
    assert made.status.phase is Phase.ROLLING_BACK
    assert "none of about 20 answers in 5.0 s" in made.status.release.outcome_reason


@pytest.mark.parametrize("missing", [9.1, 0.0])
def test_a_few_missing_answers_are_chance(missing: float):
    made = stepping_at(20)
    made.world.missing = missing
    made.look()
    assert made.status.phase is Phase.STEPPING


def test_a_strangers_backend_is_named_and_has_time_to_be_taken_off():
    made = stepping_at(50)
    made.world.strangers = {"other-service": 5}
    made.until(Phase.PROMOTING)
    made.run(40)
    assert made.status.phase is Phase.PROMOTING
    assert "none of this release's: other-service (5 %); take them off" in made.status.waiting.reason
    made.world.strangers = {}
    made.until(Phase.IDLE)
    assert made.status.stable.image == "v2"


def test_a_strangers_backend_that_stays_is_the_reason_that_is_told():
    made = stepping_at(50)
    made.world.strangers = {"other-service": 5}
    made.until(Phase.ROLLED_BACK, limit=120)
    assert "other-service (5 %)" in made.status.last.outcome_reason


def test_objects_that_the_api_server_refuses_end_the_release_at_once_in_its_words():
    made = serving()
    made.world.image("v2").ready = False
    made.world.want("v2")
    made.until(Phase.PREPARING)
    made.world.failures = {"EnsureRevision": Failure("spec.template: Invalid value", EPOCH, final=True)}
    made.look()
    assert made.status.phase is Phase.ROLLED_BACK
    assert made.status.last.outcome_reason == "the API server does not take its objects: spec.template: Invalid value"
    assert made.status.last.refused is False, "it only says so where it is known"


@pytest.mark.parametrize("final", [True, False])
def test_a_release_that_ends_because_of_a_refusal_says_so(*, final: bool):
    made = serving()
    made.world.image("v2").ready = False
    made.world.want("v2")
    made.until(Phase.PREPARING)
    made.world.failures = {"EnsureRevision": Failure("exceeded quota: pods=4", EPOCH, final=final, refused=True)}
    made.look()
    assert final or made.status.waiting.refused
    made.until(Phase.ROLLED_BACK, limit=70)
    assert made.status.last.refused
    assert made.status.last.outcome_reason.endswith("exceeded quota: pods=4")


def test_a_record_that_is_refused_is_no_reason_of_the_release():
    made = stepping_at(20)
    made.world.failures = {"KeepRecord": Failure("exceeded quota: count/configmaps=9", EPOCH, refused=True)}
    made.run(1)
    assert not made.status.waiting.refused
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLED_BACK, limit=60)
    assert not made.status.last.refused


def test_objects_that_are_refused_for_now_are_told_while_they_are_waited_for():
    made = serving()
    made.world.image("v2").ready = False
    made.world.want("v2")
    made.until(Phase.PREPARING)
    made.world.failures = {"EnsureRevision": Failure("exceeded quota: pods=4", EPOCH)}
    made.run(1)
    assert made.status.phase is Phase.PREPARING
    assert made.status.waiting.reason.endswith("the API server does not take its objects: exceeded quota: pods=4")
    assert made.status.waiting.until is not None


def test_a_problem_of_the_pods_is_told_while_they_are_waited_for():
    made = serving()
    made.world.image("v2").ready = False
    made.world.image("v2").problem = "0/3 nodes are available: Insufficient cpu"
    made.world.want("v2")
    made.run(3)
    assert made.status.waiting.reason == "0 of 1 canary pods are ready: 0/3 nodes are available: Insufficient cpu"


def test_what_pods_count_contradicts_no_weight():
    made = serving()
    made.world.by_gateway = False
    made.world.want("v2")
    made.until(Phase.STEPPING)
    made.world.plane_follows = False
    made.world._plane = {revision("v1"): 75, revision("v2"): 25}
    made.run(40)
    assert made.status.phase is not Phase.ROLLING_BACK
    assert made.status.release.steps[0].verified_at is not None

"""`release approve`: in whose name, of what, and what is refused before anything is written."""

from __future__ import annotations

import json

import pytest

from rollout.api.approval import ApprovalSpec, digest_of
from rollout.api.status import Phase, StepRecord
from tests.rollout import samples

ANN = {"username": "ann", "groups": ["sre", "system:authenticated"]}
STEPS = [
    {"weight": 5, "hold": "1m"},
    {"weight": 20, "hold": "2m", "gate": "approval", "approvals": {"group": "sre"}},
    {"weight": 50, "hold": "2m", "gate": "approval"},
]
SPEC = samples.spec(strategy={"steps": STEPS, "bake": "5m"})


def under_way(**changes):
    status = samples.stepping()
    release = status.release.model_copy(update={"requested_by": "bob"})
    record = StepRecord(index=0, weight=5, hold_seconds=60, started_at=samples.T)
    known = {"observed_generation": 3, "spec_generation": 3, "spec_digest": digest_of(SPEC)}
    release = release.model_copy(update={"steps": [record]})
    return status.model_copy(update={"release": release, **known, **changes})


@pytest.fixture
def shop(world):
    world.put(samples.manifest(status=under_way(), the_spec=SPEC))
    world.server.person = ANN
    return world


def approvals(world):
    return [each["spec"] for each in world.server.all("Approval")]


def test_what_is_under_way_is_approved_in_the_name_the_server_knows(shop):
    result = shop.grayling("approve", "checkout", "--reason", "looks well")
    version = f"{samples.CANARY.image} ({samples.CANARY.revision})"
    assert (result.code, result.out) == (0, f"shop/checkout: step 2 of {version} approved by ann\n")
    status = under_way()
    assert approvals(shop) == [
        {
            "release": "checkout",
            "attempt": status.release.id,
            "revision": samples.CANARY.revision,
            "digest": digest_of(SPEC),
            "step": 2,
            "approver": "ann",
            "groups": ["sre"],
            "reason": "looks well",
        }
    ]
    [item] = shop.server.all("Approval")
    [owner] = item["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], "blockOwnerDeletion" in owner) == ("GrayRelease", "u-1", False)


def test_said_twice_it_is_said_once(shop):
    shop.grayling("approve", "checkout")
    again = shop.grayling("approve", "checkout", "--reason", "once more")
    assert (again.code, "approved already by ann" in again.out) == (0, True)
    assert len(approvals(shop)) == 1


def test_one_of_the_same_name_that_says_something_else_is_not_taken_for_it(shop):
    shop.grayling("approve", "checkout")
    [item] = shop.server.all("Approval")
    shop.put({**item, "spec": {**item["spec"], "approver": "eve"}})
    result = shop.grayling("approve", "checkout")
    assert result.code == 1
    assert "is there and says something else; delete it" in result.err


def test_one_that_is_just_being_taken_back_is_not_taken_for_approved(shop):
    shop.grayling("approve", "checkout")
    [item] = shop.server.all("Approval")
    meta = {**item["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["somebody/holds-it"]}
    shop.put({**item, "metadata": meta})
    result = shop.grayling("approve", "checkout")
    assert (result.code, "already exists" in result.err) == (11, True)


def test_a_step_by_number_all_of_them_and_for_how_long(shop):
    shop.grayling("approve", "checkout", "--step", "3", "--expires", "8h")
    shop.grayling("approve", "checkout", "--step", "all")
    third, everything = sorted(approvals(shop), key=lambda each: str(each["step"]))
    assert (third["step"], third["groups"], everything["step"]) == (3, [], "all")
    assert ApprovalSpec.model_validate(third).expires
    assert "expires" not in everything


@pytest.mark.parametrize("step", ["0", "-1", "two", "1.5", ""])
def test_what_is_no_number_of_a_step(shop, step):
    result = shop.grayling("approve", "checkout", "--step", step)
    assert result.code == 2
    assert "is neither the number of a step (the first is 1) nor all" in result.err


@pytest.mark.parametrize("step", ["1", "4"])
def test_a_step_that_waits_for_no_approval(shop, step):
    result = shop.grayling("approve", "checkout", "--step", step)
    assert (result.code, approvals(shop)) == (2, [])
    assert f"--step {step}: no such step waits for approvals; steps that do: 2, 3" in result.err


def test_no_step_that_waits(world):
    world.put(samples.manifest(status=under_way()))
    world.server.person = ANN
    result = world.grayling("approve", "checkout")
    assert result.code == 2
    assert "shop/checkout: no step that is still to come waits for approvals" in result.err


@pytest.mark.parametrize(
    ("person", "said"),
    [
        ({"username": "bob", "groups": ["sre"]}, "bob asked for this version (as bob): somebody else approves it"),
        ({"username": "oidc:bob@example.com"}, "asked for this version (as bob): somebody else approves it"),
        ({"username": "dan", "groups": ["dev"]}, "dan is not in group sre, which the step asks for"),
        ({"username": "dan"}, "dan is not in group sre"),
        ({"username": "system:anonymous"}, "the API server does not know who these credentials are: log in"),
        ({}, "the API server does not know who these credentials are: log in"),
        (None, "the API server does not tell in whose name these credentials speak"),
    ],
)
def test_whose_approval_would_not_count(shop, person, said):
    shop.server.person = person
    result = shop.grayling("approve", "checkout")
    assert (result.code, approvals(shop)) == (2, [])
    assert said in result.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"phase": Phase.IDLE, "release": None, "canary": None}, "nothing is to be approved: the phase is Idle"),
        ({"phase": Phase.PROMOTING}, "nothing is to be approved: the phase is Promoting"),
        ({"observed_generation": 2}, "the engine does not go by the newest spec yet"),
        ({"spec_generation": 2}, "the engine does not go by the newest spec yet"),
        ({"spec_digest": ""}, "the engine does not go by the newest spec yet"),
    ],
)
def test_what_is_not_to_be_approved_now(shop, changes, said):
    shop.put(samples.manifest(status=under_way(**changes), the_spec=SPEC))
    result = shop.grayling("approve", "checkout", "--step", "2")
    assert (result.code, approvals(shop)) == (2, [])
    assert said in result.err


def test_what_the_server_refuses_is_told_in_its_words(shop):
    words = "ValidatingAdmissionPolicy denied request: spec.approver: it must be the user name of who sends it"
    shop.server.fail("POST", "/approvals", 422, message=words)
    result = shop.grayling("approve", "checkout")
    assert result.code == 13
    assert "it must be the user name of who sends it" in result.err


def test_a_cluster_without_approvals(shop):
    shop.server.fail("POST", "/approvals", 404, message="the server could not find the requested resource")
    result = shop.grayling("approve", "checkout")
    assert result.code == 2
    assert "the cluster has no Approvals: `grayling release crd | kubectl apply -f -`" in result.err
    shop.server.fail("GET", "/approvals", 404)
    assert "the cluster has no Approvals" in shop.grayling("approve", "checkout", "--revoke").err


def test_what_one_has_approved_is_taken_back_and_what_others_have_is_not(shop):
    for step in ("2", "3", "all"):
        shop.grayling("approve", "checkout", "--step", step)
    shop.server.person = {"username": "cid", "groups": ["sre"]}
    shop.grayling("approve", "checkout")
    shop.server.person = ANN
    result = shop.grayling("approve", "checkout", "--step", "2", "--revoke")
    assert result.out == "shop/checkout: 2 approvals of ann taken back\n", "that of all steps was one of this step, too"
    assert sorted((each["approver"], each["step"]) for each in approvals(shop)) == [("ann", 3), ("cid", 2)]
    assert shop.grayling("approve", "checkout", "--revoke").out == "shop/checkout: 1 approval of ann taken back\n"
    again = shop.grayling("approve", "checkout", "--revoke")
    assert again.code == 1
    assert again.err == "Error: shop/checkout: ann has approved nothing that could be taken back\n"


def test_who_may_approve_some_of_the_steps_may_approve_all_that_they_may(shop):
    shop.server.person = {"username": "dan", "groups": ["dev"]}
    assert shop.grayling("approve", "checkout", "--step", "all").code == 0
    assert [(each["step"], each["groups"]) for each in approvals(shop)] == [("all", [])]


def test_taking_back_needs_no_words(shop):
    assert shop.grayling("approve", "checkout", "--revoke", "--reason", "x").code == 2


def test_the_object_says_nothing_that_was_not_asked_for(shop):
    shop.server.person = {"username": "ann", "groups": ["sre", "payroll", "board"]}
    shop.grayling("approve", "checkout")
    assert "payroll" not in json.dumps(shop.server.all("Approval"))

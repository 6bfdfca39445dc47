"""The Approval, its digest, and the policy without which it is worth nothing."""

from __future__ import annotations

from copy import deepcopy

import pytest
from pydantic import ValidationError

from rollout.api.approval import ApprovalSpec, digest_of, same_person
from rollout.api.approval_policy import (
    NAME,
    SETTLED_SECONDS,
    binding,
    is_ours,
    policy,
    trusted_since,
    why_distrusted,
)
from rollout.api.spec import Spec
from rollout.api.strategy import Step
from tests.rollout import samples

MADE = "2026-01-01T00:00:00Z"
SAID = {
    "release": "checkout",
    "attempt": "60a9f2db-1",
    "revision": "checkout-60a9f2db",
    "digest": "sha256:" + 64 * "a",
    "step": 2,
    "approver": "ann",
}


def live(manifest, **meta):
    made = deepcopy(manifest)
    made["metadata"] |= {"generation": 1, "creationTimestamp": MADE, **meta}
    return made


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": 0},
        {"step": 33},
        {"step": "some"},
        {"approver": ""},
        {"digest": "sha256:abc"},
        {"release": ""},
        {"groups": [""]},
        {"expires": "soon"},
        {"steps": [1]},
        *({key: None} for key in SAID),
    ],
    ids=str,
)
def test_what_is_no_approval(wrong):
    with pytest.raises(ValidationError):
        ApprovalSpec.model_validate(SAID | wrong)


def test_an_approval_goes_over_the_wire_as_it_is():
    says = ApprovalSpec.model_validate(SAID | {"expires": MADE, "groups": ["sre"]})
    assert ApprovalSpec.model_validate(says.wire()) == says
    assert ApprovalSpec.model_validate(SAID | {"step": "all"}).step == "all"


def test_the_digest_is_of_the_whole_spec_but_for_what_an_autoscaler_writes():
    spec = samples.spec()
    assert digest_of(Spec.model_validate(spec.wire())) == digest_of(spec), "as it is read again"
    scaled = spec.wire()
    scaled["workload"]["replicas"] = 9
    assert digest_of(Spec.model_validate(scaled)) == digest_of(spec)
    changes = {
        "strategy": {"steps": [{"weight": 5}]},
        "analysis": {"false_rollback_rate": 0.1},
        "deletion": "Orphan",
        "traffic": {"parents": [{"name": "other"}]},
    }
    for key, value in changes.items():
        assert digest_of(samples.spec(**{key: value})) != digest_of(spec), key


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ann", "ann", True),
        ("ann", "Ann", True),
        ("oidc:ann@example.com", "ann", True),
        ("system:serviceaccount:ci:deploy", "deploy", True),
        ("ann", "anna", False),
        ("", "", False),
        ("ann", "", False),
    ],
)
def test_who_is_one_person(one, other, same):
    assert same_person(one, other) is same


def test_approvals_are_for_their_gate_alone():
    assert Step(weight=5).approvers is None
    assert Step(weight=5, gate="approval").approvers.count == 1
    with pytest.raises(ValidationError, match="approvals: they are for gate: approval alone"):
        Step.model_validate({"weight": 5, "approvals": {"count": 2}})
    with pytest.raises(ValidationError):
        Step.model_validate({"weight": 5, "gate": "approval", "approvals": {"count": 0}})


def test_a_policy_that_stands_is_trusted_from_a_moment_after_it_was_made():
    later = live(binding(), creationTimestamp="2026-01-01T00:01:00Z")
    assert why_distrusted(live(policy()), later) == ""
    assert trusted_since(live(policy()), later) == 1767225660 + SETTLED_SECONDS
    filled_in = live(binding())
    filled_in["spec"]["matchResources"] = {}
    assert why_distrusted(live(policy()), filled_in) == "", "what says nothing may be there"


def _without_validation(made):
    made["spec"]["validations"].pop()


def _ignoring(made):
    made["spec"]["failurePolicy"] = "Ignore"


def _with_a_way_out(made):
    made["spec"]["matchConditions"] = [{"name": "not-me", "expression": "request.userInfo.username != 'eve'"}]


def _elsewhere(made):
    made["spec"]["matchConstraints"]["namespaceSelector"] = {"matchLabels": {"a": "b"}}


def _less_strict(made):
    made["spec"]["validations"][1]["expression"] = "true"


@pytest.mark.parametrize("spoilt", [_without_validation, _ignoring, _with_a_way_out, _elsewhere, _less_strict])
def test_a_policy_that_says_something_else_is_not_trusted(spoilt):
    made = live(policy())
    spoilt(made)
    assert f"ValidatingAdmissionPolicy {NAME} is not as it should be (spec." in why_distrusted(made, live(binding()))


def test_a_binding_that_only_warns_or_leaves_something_out_is_not_trusted():
    warns, partly = live(binding()), live(binding())
    warns["spec"]["validationActions"] = ["Warn"]
    partly["spec"]["matchResources"] = {"objectSelector": {"matchLabels": {"a": "b"}}}
    assert "is not as it should be (spec.validationActions[0])" in why_distrusted(live(policy()), warns)
    assert "is not as it should be (spec.matchResources)" in why_distrusted(live(policy()), partly)


@pytest.mark.parametrize("meta", [{"generation": 3}, {"generation": None}])
def test_a_policy_that_was_edited_and_put_right_again_is_not_trusted(meta):
    assert "was edited since it was made" in why_distrusted(live(policy(), **meta), live(binding()))
    assert "was edited since it was made" in why_distrusted(live(policy()), live(binding(), **meta))


def test_a_policy_that_is_missing_or_going_is_not_trusted():
    going = live(policy(), deletionTimestamp=MADE)
    for pair in ((None, live(binding())), (live(policy()), None), (going, live(binding()))):
        assert "is not on the cluster, so that anybody could approve in any name" in why_distrusted(*pair)


def test_another_version_of_the_policy_is_ours_and_has_another_name():
    assert is_ours(policy())
    assert is_ours(binding())
    assert is_ours({"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "approvals.grayling.dev-00000000"}})
    assert not is_ours({"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "somebody-elses"}})
    assert policy()["metadata"]["name"] == binding()["spec"]["policyName"] == NAME

"""The decision alone: how many people, which of them count, and what every approval of it costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from review.approval.digest import NOT_ASKED, PARTS, Bound
from review.approval.errors import ApprovalMissingError, PolicyError, StaleError
from review.approval.judging import judge
from review.approval.people import Authors
from review.approval.policy import read_policy
from review.approval.statement import Said, write
from review.approval.verdict import Case
from review.model.risk import Risk, Severity, Waiver
from tests.review.approval.team import ANN, BOB, CAT, DAN, EVE, POLICY
from tests.review.approval.test_statement import key_of, line

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
RULES = read_policy(POLICY.replace("byRule: false", "byRule: true").replace("highNeeds: 1", "highNeeds: 2").encode())
BOUND = Bound("p", "s", "render", {name: {"x": "0" * 64} for name in PARTS})
LOW = Risk("x", Severity.LOW, "o", "t")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {who: key_of(folder, who.partition("@")[0]) for who in (ANN, BOB, CAT, DAN, EVE)}


@pytest.fixture(scope="module")
def signers(keys):
    return b"".join(line(who, key) for who, key in keys.items())


@pytest.fixture
def case(signers):
    return Case(
        BOUND,
        "staging",
        RULES,
        signers,
        Authors(frozenset({CAT})),
        (risk(Severity.MEDIUM),),
        (),
        rules_change=False,
        now=NOW,
    )


def risk(severity, **more):
    return replace(LOW, severity=severity, **more)


@pytest.fixture
def said(keys):
    def make(who, *, key=None, bound=BOUND, created=NOW, **more):
        values = {
            "kind": "approval",
            "project": bound.project,
            "stack": bound.stack,
            "tier": "staging",
            "source": bound.source,
            "approver": who,
            "created": created,
            "expires": created + timedelta(days=1),
            "parts": bound.parts,
            "volatile": bound.volatile,
        }
        letter = write(Said(**{**values, **more}), bound.digest, key or keys[who])
        return (f"{who}.json", letter)

    return make


def revocation(said, who, **more):
    return said(who, kind="revocation", parts={}, expires=None, reason="no", **more)


WAIVED = Waiver("known", "2027-01-01", ANN)


@pytest.mark.parametrize(
    ("tier", "risks", "rules_change", "needed"),
    [
        ("staging", (), False, 0),
        ("staging", (LOW,), False, 0),
        ("staging", (risk(Severity.MEDIUM),), False, 1),
        ("staging", (risk(Severity.HIGH),), False, 2),
        ("staging", (LOW, risk(Severity.CRITICAL)), False, 2),
        ("staging", (risk(Severity.HIGH, waiver=WAIVED),), False, 0),
        ("staging", None, False, 2),
        ("staging", (), True, 2),
        ("prod", (), False, 2),
        ("dev", (risk(Severity.CRITICAL),), False, 0),
    ],
)
def test_how_many_people(case, tier, risks, rules_change, needed):
    found = judge(replace(case, tier=tier, risks=risks, rules_change=rules_change), [])
    assert found.needed == needed
    assert found.granted == (needed == 0)


def test_two_keys_of_one_person_are_one(case, said, keys, tmp_path):
    second = key_of(tmp_path, "second")
    case = replace(case, risks=(risk(Severity.HIGH),), signers=case.signers + line(ANN, second))
    found = judge(case, [said(ANN), said(ANN, key=second)])
    assert (found.granted, len(found.by)) == (False, 1)
    assert judge(case, [said(ANN), said(BOB)]).granted


def test_two_names_of_one_key_are_one(case, said, keys):
    case = replace(case, risks=(risk(Severity.HIGH),), signers=case.signers + line(BOB, keys[ANN]))
    found = judge(case, [said(ANN), said(BOB, key=keys[ANN])])
    assert (found.granted, len(found.by)) == (False, 1)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_a_chain_of_names_and_keys_is_one(case, said, keys, tmp_path, order):
    second = key_of(tmp_path, "second")
    case = replace(case, risks=(risk(Severity.HIGH),))
    case = replace(case, signers=case.signers + line(ANN, second) + line(BOB, second))
    letters = [said(ANN), said(ANN, key=second), said(BOB, key=second)]
    assert len(judge(case, [letters[place] for place in order]).by) == 1


WHY = [
    (lambda said, case: (said(CAT), case), "cat@example.com is an author of the change"),
    (lambda said, case: (said(EVE), case), "eve@example.com is not in groups.reviewers"),
    (lambda said, case: (said(ANN, created=NOW - timedelta(hours=3)), case), "it expired 2026-05-04T11:00:00+00:00"),
    (lambda said, case: (said(ANN, expires=NOW), case), "it expired"),
    (lambda said, case: (said(ANN, created=NOW + timedelta(minutes=5)), case), "which is still to come"),
    (lambda said, case: (said(ANN), replace(case, signers=b"")), "no valid signature of ann@example.com"),
    (
        lambda said, case: (
            said(BOB, emergency=True),
            replace(case, policy=RULES.model_copy(update={"emergency": None})),
        ),
        "it was given in the emergency lane, and the policy has none",
    ),
]


@pytest.mark.parametrize(("make", "words"), WHY)
def test_what_does_not_count_says_why(case, said, make, words):
    letter, case = make(said, case)
    found = judge(case, [letter])
    assert not found.granted
    assert any(words in each for each in found.left_out), found.left_out
    with pytest.raises(ApprovalMissingError, match="does not count"):
        found.insist("apply", BOUND)


def test_a_group_that_a_person_left_counts_no_more(case, said):
    without = read_policy(POLICY.replace("[ann@example.com, ", "[").encode())
    assert judge(case, [said(ANN)]).granted
    assert not judge(replace(case, policy=without), [said(ANN)]).granted


def test_a_revocation_ends_what_was_before_it(case, said):
    later = NOW + timedelta(minutes=1)
    letters = [said(ANN), revocation(said, BOB, created=later)]
    case = replace(case, now=later)
    assert not judge(case, letters).granted
    again = said(DAN, created=later + timedelta(seconds=1))
    assert judge(replace(case, now=later + timedelta(seconds=1)), [*letters, again]).granted


@pytest.mark.parametrize(("who", "counts"), [(ANN, True), (BOB, True), (EVE, False)])
def test_who_may_revoke(case, said, who, counts):
    assert judge(case, [said(ANN), revocation(said, who)]).granted != counts


def test_a_revocation_that_is_not_signed_by_whom_it_names_counts_for_nothing(case, said, keys):
    found = judge(case, [said(ANN), revocation(said, BOB, key=keys[EVE])])
    assert found.granted
    assert "a revocation that does not count" in found.left_out[0]


def test_what_was_revoked_is_not_let_in_by_rule(case, said):
    case = replace(case, risks=())
    assert judge(case, []).how == "rule"
    assert not judge(case, [revocation(said, BOB)]).granted


def test_the_emergency_lane(case, said):
    case = replace(case, risks=(risk(Severity.CRITICAL),))
    urgent = [said(who, emergency=True, reason="down") for who in (BOB, DAN)]
    assert not judge(case, urgent[:1]).granted
    assert not judge(case, [urgent[0], said(ANN, emergency=True)]).granted
    assert judge(case, urgent).how == "emergency"
    assert not judge(replace(case, now=NOW + timedelta(minutes=61)), urgent).granted
    assert not judge(replace(case, authors=Authors(frozenset({BOB}))), urgent).granted
    assert not judge(case, [*urgent, revocation(said, ANN)]).granted
    assert judge(replace(case, unfit=("it was cut",)), urgent).granted is False


def test_what_cannot_be_believed_is_approved_by_nobody(case, said):
    for found in (
        judge(replace(case, unfit=("the preview was cut",)), [said(ANN)]),
        judge(replace(case, authors=Authors(unknown=("'x' (author of y)",))), [said(ANN)]),
        judge(replace(case, tier="prod", bound=replace(BOUND, parts={**BOUND.parts, "live": NOT_ASKED})), []),
    ):
        assert not found.granted
        with pytest.raises(PolicyError, match="cannot be approved as it stands"):
            found.insist("apply", BOUND)


def test_another_digest_is_stale_and_says_what_differs(case, said):
    other = replace(BOUND, parts={**BOUND.parts, "program": {"x": "1" * 64}})
    found = judge(case, [said(ANN, bound=other)])
    assert found.stale == [f"ann@example.com approved {other.digest[:12]}…; since then differ program: x (another)"]
    with pytest.raises(StaleError, match="stale: ann@example"):
        found.insist("apply", BOUND)


def test_what_was_said_of_this_digest_comes_before_what_was_said_of_others(case, said):
    other = replace(BOUND, parts={**BOUND.parts, "program": {"x": "1" * 64}})
    letters = [said(ANN, bound=other), said(BOB), revocation(said, DAN)]
    with pytest.raises(ApprovalMissingError, match="revoked by dan@example"):
        judge(case, letters).insist("apply", BOUND)


def test_an_old_or_forged_approval_of_another_digest_is_not_stale_but_missing(case, said, keys):
    other = replace(BOUND, stack="s", parts={**BOUND.parts, "program": {"x": "1" * 64}})
    old = said(ANN, bound=other, created=NOW - timedelta(days=2))
    forged = said(ANN, bound=other, key=keys[EVE])
    with pytest.raises(ApprovalMissingError):
        judge(case, [old, forged]).insist("apply", BOUND)


def test_for_machines(case, said):
    found = judge(case, [said(ANN)]).wire(BOUND)
    assert (found["schema"], found["granted"], found["how"]) == ("grayling.verdict/1", True, "people")
    assert set(found["parts"]) == set(PARTS)

"""What a change makes weaker in the rules of reviewing is told in its preview, as a risk of its own."""

from __future__ import annotations

import json

import pytest

from tests.review.approval.team import ANN, BOB, CAT, DAN, EVE, POLICY

WAIVER = "{rule: privileged, object: Pod shop/a, reason: only a test of it, until: '2027-06-01', by: me}"


def preview(team):
    seen = team.run("review", "preview", team.file, "--base", "main", "--offline", "-o", "json")
    assert seen.code == 0, seen.err
    return [
        (risk["severity"], risk["text"]) for risk in json.loads(seen.out)["risks"] if risk["id"] == "policy-changed"
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("prod: {approvals: 2", "prod: {approvals: 1", "tiers.prod.approvals: 1 instead of 2"),
        ("highNeeds: 2}", "highNeeds: 1}", "tiers.prod.highNeeds: 1 instead of 2"),
        ("byRule: false", "byRule: true", "tiers.staging.byRule: is turned on"),
        ("expires: 2h", "expires: 20h", "tiers.staging.expires: 20h instead of 2h"),
        ("prod: {approvals: 2,", "prod: {offline: true, approvals: 2,", "tiers.prod.offline: is turned on"),
        (
            "prod: {approvals: 2, group: reviewers",
            "prod: {approvals: 2, group: oncall",
            "tiers.prod.group: oncall instead",
        ),
        ("dan@example.com, cat@", "dan@example.com, eve@example.com, cat@", f"groups.reviewers: {EVE} may approve too"),
        ("limit: 1h", "limit: 9h", "emergency.limit: 9h instead of 1h"),
        ("mandatory: [house-image-moves]", "mandatory: []", "policy.mandatory: house-image-moves refuses no more"),
        (
            "volatile: [",
            f"waivers: [{WAIVER}]\nvolatile: [",
            "waivers: privileged is accepted for Pod shop/a",
        ),
        (
            "services.checkout.image]",
            "services.checkout.image, grayling:components.redis.image]",
            "volatile: grayling:comp",
        ),
    ],
)
def test_each_weakening_of_the_policy_is_told(team, old, new, said):
    assert old in POLICY
    team.write(".grayling/review.yaml", POLICY.replace(old, new))
    team.commit()
    found = preview(team)
    assert [severity for severity, _ in found] == ["high"] * len(found)
    assert any(said in text for _, text in found), found


def test_what_is_stricter_is_none(team):
    team.write(".grayling/review.yaml", POLICY.replace("expires: 2h", "expires: 1h").replace("limit: 1h", "limit: 30m"))
    team.commit()
    assert preview(team) == []


def test_a_policy_that_goes_or_cannot_be_read_is_told(team):
    team.write(".grayling/review.yaml", "schema: [")
    team.commit()
    assert "cannot be read as the change leaves it" in preview(team)[0][1]
    (team.project / ".grayling/review.yaml").unlink()
    team.commit()
    assert "goes: nothing asks for approvals" in preview(team)[0][1]


def test_new_keys_are_told_with_whose_they_are(team):
    team.write(".grayling/allowed_signers", team.signers(ANN, BOB, CAT, DAN, EVE))
    team.commit()
    assert preview(team) == [("high", f".grayling/allowed_signers: has new or other keys of {EVE}")]


def test_a_lowered_tier_is_told_and_judged_by_what_it_was(team):
    team.change("tier: staging", "tier: dev")
    assert preview(team) == [("high", "the tier of stack shop is lowered from staging to dev")]

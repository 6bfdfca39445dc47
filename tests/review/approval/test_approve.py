"""`grayling review approve`, `verify`, `revoke` and `log`, as a team uses them."""

from __future__ import annotations

import pytest

from tests.review.approval.team import ANN, BOB, CAT, DAN, EVE, POLICY


def test_what_nobody_approved_is_missing_and_says_who_can_how(team):
    team.change()
    result = team.review("verify")
    assert result.code == 4
    assert "needs 1 more of group reviewers: grayling review approve shop --digest" in result.err


def test_one_of_the_group_approves_and_verify_succeeds(team):
    team.change()
    result = team.approve(ANN)
    assert result.code == 0, result.err
    assert result.out == f"approved by {ANN}\n"
    assert "ssh-keygen and tools of in-toto verify it" in result.err
    verdict = team.verdict()
    assert (verdict["granted"], verdict["how"], list(verdict["approvals"])) == (True, "people", [ANN])
    assert team.review("verify").code == 0


def test_approving_twice_is_once(team):
    team.change()
    team.approve(ANN)
    before = team.letters()
    again = team.approve(ANN)
    assert (again.code, team.letters()) == (0, before)
    assert "already; nothing was written" in again.err


def test_the_author_never_counts(team):
    team.change(who=ANN)
    result = team.approve(ANN)
    assert result.code == 6
    assert f"--as {ANN}: is an author of this change" in result.err
    assert team.approve(BOB).code == 0


def test_a_co_author_is_an_author(team):
    team.write("more.py", "")
    team.commit(f"more\n\nCo-authored-by: Ann <{ANN.upper()}>")
    assert team.approve(ANN).code == 6


def test_who_committed_it_is_an_author(team):
    team.write("more.py", "")
    team.commit("rebased", who=CAT, GIT_COMMITTER_EMAIL=ANN)
    assert team.approve(ANN).code == 6


def test_an_unknown_author_is_nobodys_approval(team):
    team.change(who="who@elsewhere.example")
    result = team.approve(ANN)
    assert result.code == 6
    assert "unknown author: 'who@elsewhere.example' (author of" in result.err
    assert "add each to a group or under identities in .grayling/review.yaml" in result.err
    assert team.review("verify").code == 6


def test_who_is_in_no_group_does_not_approve(team):
    team.change()
    result = team.approve(EVE)
    assert result.code == 6
    assert f"--as {EVE}: is not in groups.reviewers" in result.err


def test_a_key_that_is_not_theirs_signs_for_nobody(team):
    team.change()
    digest = team.verdict()["digest"]
    result = team.review("approve", "--digest", digest, "--key", str(team.key(BOB)), "--as", ANN)
    assert result.code == 6
    assert ".grayling/allowed_signers as of" in result.err
    assert f"must have this key for {ANN}" in result.err
    assert team.letters() == []


def test_what_changed_since_is_stale_and_says_what(team):
    team.change()
    team.approve(ANN)
    team.change("storage: 1Gi", "storage: 2Gi")
    result = team.review("verify")
    assert result.code == 5
    assert f"stale: {ANN} approved" in result.err
    assert "StatefulSet shop/redis: after (another)" in result.err
    assert "configuration: grayling:components.redis.storage (another)" in result.err


def test_an_old_digest_is_not_approved(team):
    team.change()
    digest = team.verdict()["digest"]
    team.change("storage: 1Gi", "storage: 2Gi")
    result = team.approve(ANN, digest=digest)
    assert result.code == 5
    assert "is not that of what is here now" in result.err


@pytest.mark.parametrize("digest", ["", "12ab", "Z" * 64, "../../x"])
def test_a_digest_is_whole(team, digest):
    result = team.review("approve", "--digest", digest or "x", "--key", "k", "--as", ANN)
    assert result.code == 2
    assert "copy it whole from the report" in result.err


def test_a_person_is_an_address(team):
    result = team.review("approve", "--digest", "0" * 64, "--key", "k", "--as", "*")
    assert result.code == 2
    assert "--as '*': is no e-mail address" in result.err


def test_a_missing_key_is_named(team):
    team.change()
    digest = team.verdict()["digest"]
    result = team.review("approve", "--digest", digest, "--key", "nowhere", "--as", ANN)
    assert result.code == 2
    assert "--key nowhere: does not sign" in result.err


def test_without_a_policy_nothing_is_approved(team):
    team.git("rm", "-rq", ".grayling")
    team.commit("none")
    team.commit("long since")
    team.git("branch", "-f", "main")
    result = team.review("approve", "--digest", "0" * 64, "--key", "k", "--as", ANN)
    assert result.code == 2
    assert ".grayling/review.yaml: is not there" in result.err
    assert team.verdict()["how"] == "no policy"


def test_prod_needs_two_people_whatever_keys_they_have(team):
    team.change("tier: staging", "tier: prod")
    team.approve(ANN)
    result = team.review("verify")
    assert (result.code, "needs 1 more of group reviewers (ann@example.com did)" in result.err) == (4, True)
    team.approve(BOB)
    assert team.review("verify").code == 0


def test_what_is_not_committed_has_no_author(team):
    team.change()
    path = team.project / "stacks" / "Pulumi.shop.yaml"
    path.write_text(path.read_text().replace("1Gi", "3Gi"))
    (team.project / "sitecustomize.py").write_text("x = 1\n")
    result = team.approve(ANN)
    assert result.code == 6
    assert "not committed: sitecustomize.py: commit or remove" in result.err
    assert "not committed: stacks/Pulumi.shop.yaml" in result.err or "Pulumi.shop.yaml: configuration:" in result.err


def test_a_change_of_the_rules_is_judged_by_the_old_ones(team):
    team.change()
    team.write(".grayling/review.yaml", POLICY.replace("approvals: 1", "approvals: 0").replace("[ann", "[eve"))
    team.write(".grayling/allowed_signers", team.signers(EVE))
    team.commit()
    assert team.review("verify").code == 4
    assert team.approve(EVE).code == 6
    assert team.approve(ANN).code == 0


def test_taking_the_rules_away_leaves_them(team):
    team.change()
    team.git("rm", "-rq", ".grayling")
    team.commit()
    assert team.review("verify").code == 4


def test_outside_git_nothing_that_needs_it_is_approved(team):
    (team.project / ".git").rename(team.keys / "git")
    result = team.review("verify")
    assert result.code == 6
    assert "the project is not under git" in result.err


def test_revoked_counts_no_more_until_somebody_approves_again(team, monkeypatch):
    team.change()
    team.approve(ANN)
    digest = team.verdict()["digest"]
    result = team.revoke(BOB, digest)
    assert (result.code, "no cluster was told" in result.err) == (0, True)
    result = team.review("verify")
    assert (result.code, f"revoked by {BOB}: no" in result.err) == (4, True)


def test_a_revocation_by_a_stranger_counts_for_nothing(team):
    team.change()
    team.approve(ANN)
    result = team.revoke(EVE, team.verdict()["digest"])
    assert (result.code, f"--as {EVE}: has not approved it" in result.err) == (6, True)


def test_the_cluster_remembers_a_revocation_whose_file_is_gone(team):
    team.change()
    team.approve(ANN)
    digest = team.verdict()["digest"]
    assert team.revoke(BOB, digest, live=True).code == 0
    for path in team.letters():
        if path.name.startswith("revocation"):
            path.unlink()
    result = team.review("verify")
    assert (result.code, f"revoked by {BOB}" in result.err) == (4, True)


def test_the_emergency_lane_takes_two_people_and_a_reason(team):
    team.change("tier: staging", "tier: prod")
    assert team.approve(BOB, "--emergency").code == 2
    assert team.approve(ANN, "--emergency", "--reason", "down").code == 6
    assert team.approve(BOB, "--emergency", "--reason", "orders are lost").code == 0
    assert team.review("verify").code == 4
    assert team.approve(DAN, "--emergency", "--reason", "orders are lost").code == 0
    verdict = team.verdict()
    assert (verdict["how"], verdict["text"]) == ("emergency", f"let in by the EMERGENCY lane: {BOB}, {DAN}")


def test_without_a_cluster_the_policy_says_whether_that_is_enough(team):
    team.change()
    assert team.approve(ANN, live=False).code == 0
    assert team.review("verify", live=False).code == 0
    team.change("tier: staging", "tier: prod")
    result = team.approve(ANN, live=False)
    assert result.code == 6
    assert "no cluster was asked what stands there, which tier prod demands" in result.err


def test_flags_that_exclude_each_other(team):
    result = team.run("review", "verify", team.file, "--offline", "--kubeconfig", "x")
    assert (result.code, "--offline goes with neither" in result.err) == (2, True)
    result = team.run("review", "verify", team.file, "--probe", "x")
    assert (result.code, "--probe goes with --from" in result.err) == (2, True)


def test_a_change_that_lowers_the_tier_is_judged_by_what_it_was(team):
    team.change("tier: staging", "tier: dev")
    assert team.review("verify").code == 4
    assert team.approve(ANN).code == 0
    assert team.review("verify").code == 0


def test_where_nothing_is_asked_nothing_is_written(team):
    team.git("checkout", "-q", "main")
    team.change("tier: staging", "tier: dev")
    team.git("checkout", "-q", "-b", "later")
    team.change()
    result = team.approve(ANN)
    assert (result.code, team.letters()) == (0, [])
    assert "no approval is asked for in this tier" in result.out


def test_a_younger_base_makes_nobody_less_an_author(team):
    first = team.change(who=ANN)
    team.change("storage: 1Gi", "storage: 2Gi", who=BOB)
    digest = team.verdict("--base", first)["digest"]
    signed = ["--digest", digest, "--key", str(team.key(ANN)), "--as", ANN]
    assert team.review("approve", *signed, "--base", first).code == 0
    result = team.review("verify")
    assert (result.code, f"{ANN} is an author of the change" in result.err) == (4, True)


def test_an_approval_that_names_an_older_base_brings_its_authors(team):
    first = team.change(who=ANN)
    team.change("storage: 1Gi", "storage: 2Gi", who=BOB)
    team.approve(DAN)
    signed = ["--digest", team.verdict()["digest"], "--key", str(team.key(ANN)), "--as", ANN]
    assert team.review("approve", *signed, "--base", first).code == 6


def test_the_command_that_is_told_looks_where_this_one_did(team):
    team.change()
    offline = team.verdict(live=False)
    assert f"review approve shop --offline --digest {offline['digest']}" in offline["text"]
    assert "review approve shop --digest" in team.verdict()["text"]


def test_a_begun_emergency_says_who_began_it(team):
    team.change()
    result = team.approve(BOB, "--emergency", "--reason", "orders are lost")
    assert f"by the emergency lane so far: {BOB}" in result.out


def test_a_stack_that_nobody_would_carry_out_has_no_digest(team):
    team.change(", engine: {namespace: platform}", "")
    team.change(
        "  grayling:components:",
        "  grayling:services:\n    checkout: {image: 'x.example.com/a:1'}\n  grayling:components:",
    )
    result = team.review("verify", "--offline", live=False)
    assert (result.code, result.out) == (2, "")
    assert "no engine would bring in the versions of checkout" in result.err

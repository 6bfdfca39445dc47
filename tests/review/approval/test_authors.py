"""Where a change starts, who wrote it, and which rules stand: from git and CI, not from the change itself."""

from __future__ import annotations

import json
import subprocess

import pytest

from kube.errors import UsageError
from review.approval.errors import PolicyError
from review.approval.people import authors_of
from review.approval.policy import read_policy
from review.approval.repository import Commit, Repository
from review.approval.rules import rules_of
from tests.review.approval.team import ANN, BOB, CAT, EVE, POLICY

RULES = read_policy(
    (
        POLICY
        + "identities: {github: {ann-gh: ann@example.com}, gitlab: {annie: ann@example.com}, "
        + "email: {ann@home.example: ann@example.com}}\n"
    ).encode()
)


PULL, MERGE = {"GITHUB_EVENT_NAME": "pull_request"}, {"CI_PIPELINE_SOURCE": "merge_request_event"}


def repository(team):
    return Repository.around(team.project)


def test_a_change_starts_where_it_left_the_protected_branch(team):
    start = team.git("rev-parse", "main")
    team.change()
    assert repository(team).base("", {}) == start
    team.git("checkout", "-q", "main")
    team.write("x.py", "")
    team.commit("meanwhile")
    team.git("checkout", "-q", "change")
    assert repository(team).base("", {}) == start


def test_on_the_protected_branch_it_is_what_was_before(team, tmp_path):
    start = team.git("rev-parse", "main")
    one = team.change()
    team.change("storage: 1Gi", "storage: 2Gi")
    team.git("checkout", "-q", "main")
    team.git("merge", "-q", "--ff-only", "change")
    assert repository(team).base("", {}) == one
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"before": start}))
    assert repository(team).base("", {"GITHUB_EVENT_PATH": str(event)}) == start
    assert repository(team).base("", {"CI_COMMIT_BEFORE_SHA": start}) == start
    assert repository(team).base("", {"CI_COMMIT_BEFORE_SHA": "0" * 40}) == one


def test_ci_and_a_person_may_name_it(team):
    start = team.git("rev-parse", "main")
    team.git("update-ref", "refs/remotes/origin/main", start)
    team.git("branch", "-m", "main", "trunk")
    team.change()
    found = repository(team)
    assert found.base("", {"GITHUB_BASE_REF": "main"}) == start
    assert found.base("", {"CI_MERGE_REQUEST_DIFF_BASE_SHA": start}) == start
    assert found.base("HEAD", {}) == found.commit()
    with pytest.raises(UsageError, match="no commit 'nowhere' here; fetch it"):
        found.base("nowhere", {})


def test_without_a_protected_branch_it_must_be_named(team):
    team.git("branch", "-m", "main", "trunk")
    team.git("branch", "-m", "change", "other")
    with pytest.raises(UsageError, match="no protected branch to judge the change from"):
        repository(team).base("", {})


def test_a_clone_without_its_history_is_no_way_around_the_base(team, tmp_path):
    team.change()
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{team.project}", tmp_path / "clone"], check=True)
    with pytest.raises(UsageError, match="this clone has no whole history"):
        rules_of(tmp_path / "clone", "", {})


def test_the_first_commit_has_all_its_authors(team):
    found = repository(team)
    assert found.base("", {}) == ""
    assert [commit.author for commit in found.authors("", found.commit())] == [CAT]


def test_authors_of_other_folders_of_the_repository_do_not_count(team):
    start = team.git("rev-parse", "HEAD")
    inner = Repository(team.project, team.project / "stacks")
    team.write("elsewhere.txt", "x")
    team.commit(who=EVE)
    team.change(who=BOB)
    assert [commit.author for commit in inner.authors(start, inner.commit())] == [BOB]


def commit(author=ANN, committer=ANN, *others):
    return Commit("0" * 40, author, committer, others)


@pytest.mark.parametrize(
    ("commits", "environment", "people", "unknown"),
    [
        ([commit()], {}, {ANN}, ()),
        ([commit(BOB)], {}, {ANN, BOB}, ()),
        ([commit(ANN.upper(), "noreply@github.com")], {}, {ANN}, ()),
        ([commit("noreply@github.com", ANN)], {}, {ANN}, ("'noreply@github.com' (author of 000000000000)",)),
        ([commit("ann@home.example")], {}, {ANN}, ()),
        ([commit(BOB, BOB, CAT, "who@x.io")], {}, {BOB, CAT}, ("'who@x.io' (co-author of 000000000000)",)),
        ([commit(BOB, BOB)], {**PULL, "GITHUB_ACTOR": "Ann-GH"}, {BOB, ANN}, ()),
        ([commit(BOB, BOB)], {"GITHUB_EVENT_NAME": "push", "GITHUB_ACTOR": "Ann-GH"}, {BOB}, ()),
        ([commit(BOB, BOB)], {**MERGE, "GITLAB_USER_LOGIN": "annie"}, {BOB, ANN}, ()),
        ([commit(BOB, BOB)], {"GITLAB_USER_LOGIN": "annie"}, {BOB}, ()),
        ([commit()], {**PULL, "GITHUB_ACTOR": "mallory"}, {ANN}, ("'mallory' (GITHUB_ACTOR)",)),
        ([], {}, set(), ()),
    ],
)
def test_who_had_a_hand_in_it(commits, environment, people, unknown):
    found = authors_of(commits, RULES, (), environment)
    assert (found.people, found.unknown) == (frozenset(people), unknown)
    if unknown or not people:
        with pytest.raises(PolicyError, match="unknown author"):
            found.insist()
    else:
        found.insist()


def test_who_has_a_key_is_known():
    assert authors_of([commit(EVE, EVE)], RULES, [EVE], {}).people == {EVE}
    assert authors_of([commit(EVE, EVE)], RULES, [], {}).people == frozenset()


def test_the_rules_of_the_base_stand(team):
    team.write(".grayling/review.yaml", POLICY.replace("approvals: 2", "approvals: 0"))
    team.commit()
    rules = rules_of(team.project, "", {})
    assert (rules.policy.rule("prod").approvals, rules.changed) == (2, (".grayling/review.yaml",))


def test_a_broken_policy_of_the_base_is_named_with_its_commit(team):
    team.git("checkout", "-q", "main")
    team.write(".grayling/review.yaml", "schema: x\n")
    team.commit()
    team.git("checkout", "-qb", "further")
    team.write("x.py", "")
    team.commit()
    with pytest.raises(UsageError, match=r"\.grayling/review.yaml \(as of [0-9a-f]{12}\):1: schema: is none of"):
        rules_of(team.project, "", {})


def test_the_first_policy_of_a_project_is_its_own(team):
    team.git("rm", "-rq", ".grayling")
    team.commit()
    team.git("branch", "-f", "main")
    team.write(".grayling/review.yaml", POLICY)
    team.write(".grayling/allowed_signers", team.signers(ANN))
    team.commit()
    rules = rules_of(team.project, "", {})
    assert rules.principals == {ANN}


def test_keys_that_the_change_brings_to_a_policy_that_stood_without_any_do_not_count(team):
    team.git("checkout", "-q", "main")
    team.git("rm", "-q", ".grayling/allowed_signers")
    team.commit()
    team.git("checkout", "-qb", "keys")
    team.write(".grayling/allowed_signers", team.signers(EVE))
    team.commit()
    rules = rules_of(team.project, "", {})
    assert (rules.signers, rules.changed) == (b"", (".grayling/allowed_signers",))


def test_a_base_that_cannot_be_found_is_no_way_around_the_policy(team):
    team.git("branch", "-m", "main", "trunk")
    with pytest.raises(UsageError, match="no protected branch"):
        rules_of(team.project, "", {})


def test_without_git_on_path_it_is_said(team, monkeypatch):
    monkeypatch.setenv("PATH", str(team.keys))
    with pytest.raises(UsageError, match="git: No such file or directory: approvals need git on PATH"):
        rules_of(team.project, "", {})


def test_who_commits_an_approval_alone_is_no_author(team):
    team.change()
    assert team.approve(ANN).code == 0
    team.commit("approved", who=ANN)
    assert list(team.verdict()["approvals"]) == [ANN]
    team.write(".grayling/approvals/x.py", "")
    team.commit("more than an approval", who=ANN)
    assert ANN in team.review("verify").err


def test_an_approval_with_a_change_beside_it_makes_an_author(team):
    team.change()
    assert team.approve(ANN).code == 0
    team.change("redis:7.1", "redis:7.2", who=ANN)
    assert team.approve(ANN).code == 6

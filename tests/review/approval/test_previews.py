"""`grayling review verify --from`: approvals of what Pulumi would do, and what a report says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.deploy.render import render
from components.stack.stackfile import find
from review.approval.rules import rules_of
from review.approval.statement import now
from review.approval.subject import subject_of
from review.model.change import Change, ChangeSet, Doubt, ObjectRef, Op
from review.model.report import Report
from review.model.risk import Risk, Severity
from review.reading.render import between
from tests.review.approval.team import ANN, BOB, CAT, DAN
from tests.review.approval.test_volatile import SERVICES

CREATE = {
    "steps": [
        {
            "op": "create",
            "urn": "urn:pulumi:shop::grayling::kubernetes:core/v1:ConfigMap::shop/files",
            "newState": {
                "type": "kubernetes:core/v1:ConfigMap",
                "custom": True,
                "inputs": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "files", "namespace": "shop"}},
            },
        }
    ],
    "changeSummary": {"create": 1},
}


@pytest.fixture
def preview(team):
    path = team.keys / "preview.json"
    path.write_text(json.dumps(CREATE))
    return str(path)


def verify(team, preview, *more):
    return team.run("review", "verify", team.file, "--from", preview, *more)


def approve(team, preview, who, *more):
    digest = json.loads(verify(team, preview, "-o", "json", *more).out)["digest"]
    signed = ["--digest", digest, "--key", str(team.key(who)), "--as", who]
    return team.run("review", "approve", team.file, "--from", preview, *signed, *more)


def test_the_same_preview_made_again_is_what_was_approved(team, preview):
    team.change()
    assert verify(team, preview).code == 4
    assert approve(team, preview, ANN).code == 0
    Path(preview).write_text(json.dumps(CREATE, indent=7))
    assert verify(team, preview).code == 0


def test_another_preview_is_stale(team, preview):
    team.change()
    approve(team, preview, ANN)
    Path(preview).write_text(json.dumps(CREATE).replace("files", "other"))
    result = verify(team, preview)
    assert (result.code, "ConfigMap shop/other: operation (new)" in result.err) == (5, True), result.err


def test_a_probe_beside_it_says_what_stands(team, preview):
    team.change("tier: staging", "tier: prod")
    place = ["--kubeconfig", team.person.kubeconfig]
    assert approve(team, preview, ANN).code == 6
    assert approve(team, preview, ANN, *place).code == 0
    assert approve(team, preview, BOB, *place).code == 0
    assert verify(team, preview, *place).code == 0
    probed = team.run("review", "probe", team.file, "--from", preview, *place)
    assert probed.code == 0, probed.err
    probe = team.keys / "probe.json"
    probe.write_text(probed.out)
    assert verify(team, preview, "--probe", str(probe)).code == 0
    result = verify(team, preview, "--probe", str(team.keys / "none.json"))
    assert (result.code, "--probe" in result.err) == (2, True)


def test_a_preview_of_another_stack_is_named(team, preview):
    Path(preview).write_text(json.dumps(CREATE).replace("urn:pulumi:shop", "urn:pulumi:prod"))
    result = verify(team, preview)
    assert (result.code, "is a preview of stack 'prod' of project" in result.err) == (2, True)


def test_what_failed_is_approved_by_nobody(team, preview):
    team.change()
    approve(team, preview, ANN)
    Path(preview).write_text(json.dumps({**CREATE, "changeSummary": {"create": 2}}))
    result = verify(team, preview)
    assert (result.code, "cannot be approved as it stands: the summary counts 2" in result.err) == (6, True)


def subject(team, changes, **more):
    risks = (Risk("x", Severity.MEDIUM, "o", "t"),)
    return subject_of(find("shop", team.project), changes, risks, rules_of(team.project), now(), **more)


def test_a_report_says_what_an_approval_binds_and_what_is_needed(team):
    head = team.change()
    one = Change(ObjectRef("v1", "ConfigMap", "shop", "x"), (Op.CREATE,), None, {})
    changes = ChangeSet("render", stack="shop", changes=(one,), cluster="c")
    found = subject(team, changes)
    report = found.on(Report(changes))
    assert (report.digest, report.commit) == (found.case.bound.digest, head)
    assert set(report.parts) == {"changes", "program", "configuration", "locks", "live"}
    assert report.approval.startswith("needs 1 more of group reviewers: grayling review approve shop --digest")


def test_a_report_that_was_cut_binds_nothing(team):
    team.change()
    changes = ChangeSet("render", stack="shop", cluster="c")
    report = subject(team, changes, truncated=True).on(Report(changes))
    assert (report.digest, report.unbound) == ("", "the report was cut: read and approve the whole one")
    doubted = ChangeSet("render", stack="shop", cluster="c", doubts=(Doubt("x", "it was stopped"),))
    assert subject(team, doubted).on(Report(doubted)).unbound == "it was stopped"


def test_an_emergency_leaves_the_judge_as_it_is(team):
    team.git("checkout", "-q", "main")
    team.write("stacks/Pulumi.shop.yaml", SERVICES.replace("tier: staging", "tier: prod"))
    team.commit()
    team.git("checkout", "-q", "-b", "urgent")
    team.change("checkout:1.0", "checkout:1.1", who=CAT)
    for who in (BOB, DAN):
        assert team.approve(who, "--emergency", "--reason", "orders are lost").code == 0
    assert team.apply().code == 0
    live = team.person.done(lambda: team.person.server.find("GrayRelease", "checkout"))
    releases = {
        item["metadata"]["name"]: item
        for item in render(find("shop", team.project))
        if "workload" in item.get("spec", {})
    }
    declared = releases["checkout"]
    assert {key: live["spec"][key] for key in declared["spec"]} == declared["spec"]
    assert declared["spec"]["analysis"]


def test_reading_the_same_changes_twice_is_the_same(team):
    team.change()
    manifests = render(find("shop", team.project))
    one, other = (subject(team, between([], each, stack="shop")) for each in (manifests, manifests[::-1]))
    assert one.case.bound.digest == other.case.bound.digest

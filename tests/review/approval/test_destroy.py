"""`grayling stack destroy` with a policy: the end of a stack is a change that people approve."""

from __future__ import annotations

import json

import pytest

from tests.review.approval.team import ANN, BOB

REDIS = "StatefulSet/shop/redis"


@pytest.fixture
def standing(team):
    """The stack as it was approved and applied."""
    team.change()
    team.approve(ANN)
    assert team.apply().code == 0
    return team


def destroy(team):
    place = ["--kubeconfig", team.person.kubeconfig, "--yes", "--timeout", "0"]
    return team.run("stack", "destroy", team.file, *place)


def digest_of(team):
    return json.loads(team.review("verify", "--destroy", "-o", "json").out)["digest"]


def test_without_approval_nothing_is_deleted(standing):
    result = destroy(standing)
    assert result.code == 5, result.err
    assert "refused, and nothing was changed" in result.err
    assert "--as PERSON --destroy" in result.err
    assert "approved of a render, this is a destroy" in result.err
    assert REDIS in standing.person.labels()


def test_an_approval_of_an_apply_is_none_of_the_end(standing):
    standing.approve(BOB)
    assert destroy(standing).code == 5
    assert REDIS in standing.person.labels()


def test_what_was_approved_goes_and_is_recorded(standing):
    approved = standing.approve(ANN, "--destroy", digest=digest_of(standing))
    assert approved.code == 0, approved.err
    result = destroy(standing)
    assert result.code == 0, result.err
    assert REDIS not in standing.person.labels()
    folder = standing.project / ".grayling/records/changes/shop"
    records = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    (record,) = [each for each in records if each["told"] == "destroyed"]
    assert (record["result"], record["how"]) == ("done", "people")
    assert record["impact"]["counts"]["delete"] > 0


def test_the_preview_of_the_end_shows_what_goes_and_the_same_digest(standing):
    seen = standing.review("preview", "--destroy", "-o", "json")
    data = json.loads(seen.out)
    assert (data["source"], data["digest"]) == ("destroy", digest_of(standing))
    assert data["counts"]["delete"] > 0
    assert {"serving-object-deleted", "data-deleted"} & {risk["id"] for risk in data["risks"]}


@pytest.mark.parametrize("more", [["--offline"], ["--from", "x.json"]])
@pytest.mark.parametrize("verb", ["preview", "verify"])
def test_the_end_is_asked_of_the_cluster_alone(team, verb, more):
    result = team.run("review", verb, team.file, "--destroy", *more)
    assert (result.code, "--destroy asks the cluster" in result.err) == (2, True)

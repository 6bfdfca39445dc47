"""`grayling stack apply` with a policy: what was approved goes in, and nothing else; what it came to is recorded."""

from __future__ import annotations

import json

import pytest

from tests.review.approval.team import ANN, BOB, CAT, DAN, POLICY

REDIS = "StatefulSet/shop/redis"


def edited(team, kind, name, change):
    """What somebody does by hand."""

    def work():
        live = team.person.server.find(kind, name)
        change(live)
        team.person.server.put(live)

    team.person.done(work)


def grown(live):
    live["spec"]["replicas"] = 5
    live["metadata"]["generation"] = live["metadata"].get("generation", 1) + 1


def records(team):
    folder = team.project / ".grayling" / "records" / "changes" / "shop"
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def test_without_approval_nothing_is_written(team):
    team.change()
    result = team.apply()
    assert result.code == 4
    assert "refused, and nothing was changed" in result.err
    assert team.person.labels() == set()
    assert records(team) == []


def test_what_was_approved_goes_in_once_and_is_recorded(team):
    head = team.change()
    team.approve(ANN, "--reason", "asked for by shop")
    result = team.apply()
    assert result.code == 0, result.err
    assert f"approved by {ANN}" in result.err
    assert REDIS in team.person.labels()
    (record,) = records(team)
    assert (record["result"], record["how"], list(record["approvals"])) == ("done", "people", [ANN])
    assert record["request"]["commit"] == head
    assert record["request"]["authors"] == [CAT]
    assert record["reasons"] == ["asked for by shop"]
    assert record["impact"]["counts"]["create"] == len(record["impact"]["objects"]) > 3
    assert record["cost"]["storage"] == 2**30
    assert "+1 GiB storage" in team.run("review", "log", team.file).out
    assert any(label.startswith("ConfigMap/shop/grayling-change-shop-") for label in team.person.labels())


def test_one_byte_more_does_not_go_in(team):
    team.change()
    team.approve(ANN)
    team.change("redis:7.1", "redis:7.1x")
    result = team.apply()
    assert (result.code, team.person.labels()) == (5, set())
    assert "stale: ann@example.com approved" in result.err
    assert "configuration: grayling:components.redis.image (another)" in result.err


def test_what_was_revoked_a_moment_ago_does_not_go_in_from_anywhere(team):
    team.change()
    team.approve(ANN)
    digest = team.verdict()["digest"]
    team.revoke(BOB, digest, live=True)
    for path in team.letters():
        if path.name.startswith("revocation"):
            path.unlink()
    result = team.apply()
    assert (result.code, f"revoked by {BOB}" in result.err) == (4, True)
    assert REDIS not in team.person.labels()


def test_a_revocation_that_cannot_be_read_stops_it(team):
    team.change()
    team.approve(ANN)
    team.revoke(BOB, team.verdict()["digest"], live=True)
    edited(team, "ConfigMap", "grayling-revocations-shop", lambda live: live.update(data={"x.json": "{"}))
    result = team.apply()
    assert (result.code, REDIS in team.person.labels()) == (2, False)
    assert "ConfigMap shop/grayling-revocations-shop: x.json" in result.err


def test_a_hand_edited_object_makes_the_approval_stale(team):
    team.change()
    team.approve(ANN)
    assert team.apply().code == 0
    team.change("redis:7.1", "redis:7.2")
    assert team.approve(ANN).code == 0
    edited(team, "StatefulSet", "redis", grown)
    result = team.apply()
    assert result.code == 5
    assert "live: StatefulSet shop/redis (another)" in result.err


def test_an_edit_while_the_command_looks_stops_it(team):
    team.change()
    team.approve(ANN)
    assert team.apply().code == 0
    team.change("redis:7.1", "redis:7.2")
    assert team.approve(ANN).code == 0
    server = team.person.server
    made = []

    def meanwhile():
        live = server.find("StatefulSet", "redis")
        grown(live)
        made.append(live)
        server.put(live)

    server.meanwhile = ("PATCH /apis/apps/v1/namespaces/shop/statefulsets/redis", meanwhile)
    result = team.apply()
    assert made, "the command did not ask for a dry run"
    assert (result.code, "the cluster moved while this command looked: StatefulSet shop/redis" in result.err) == (
        5,
        True,
    )


def test_where_nothing_would_change_nobody_is_asked(team):
    team.change()
    team.approve(ANN)
    assert team.apply().code == 0
    team.write("unused.py", "x = 1\n")
    team.commit()
    result = team.apply()
    assert (result.code, "nothing would change" in result.err) == (0, True), result.err
    (team.project / "unused.py").write_text("x = 2\n")
    assert team.apply().code == 6


def test_an_approval_is_used_up_by_what_it_let_in(team):
    team.change()
    team.approve(ANN)
    digest = team.verdict()["digest"]
    assert team.apply().code == 0
    edited(team, "StatefulSet", "redis", grown)
    assert team.verdict()["digest"] != digest


def test_an_emergency_is_loud_and_writes_the_same_objects(team):
    team.change("tier: staging", "tier: prod")
    for who in (BOB, DAN):
        team.approve(who, "--emergency", "--reason", "orders are lost")
    result = team.apply()
    assert result.code == 0, result.err
    assert "EMERGENCY lane" in result.err
    (record,) = records(team)
    assert record["emergency"] is True
    assert record["reasons"] == ["orders are lost", "orders are lost"]
    told = team.run("review", "log", team.file)
    assert "EMERGENCY (orders are lost; orders are lost)" in told.out


def test_the_log_lists_what_files_and_cluster_keep(team):
    team.change()
    team.approve(ANN)
    team.apply()
    for path in (team.project / ".grayling" / "records").rglob("*.json"):
        path.unlink()
    assert team.run("review", "log", team.file).out == "no change of shop is kept here\n"
    told = team.run("review", "log", team.file, "--kubeconfig", team.person.kubeconfig)
    assert f"let in: people by {ANN}" in told.out
    listed = json.loads(team.run("review", "log", team.file, "--kubeconfig", team.person.kubeconfig, "-o", "json").out)
    assert [each["schema"] for each in listed] == ["grayling.change/1"]


def test_a_damaged_record_is_named(team):
    team.write(".grayling/records/changes/shop/x.json", "{}")
    result = team.run("review", "log", team.file)
    assert (result.code, ".grayling/records/changes/shop/x.json: stack" in result.err) == (2, True)


def test_a_failed_apply_is_recorded_too(team):
    team.change()
    team.approve(ANN)
    team.person.done(lambda: team.person.server.fail("PATCH", "statefulsets/redis", 422, 99))
    result = team.apply()
    assert result.code == 13, result.err
    (record,) = records(team)
    assert record["result"] == "failed"
    assert "injected" in record["told"]


def test_an_approval_without_the_cluster_lets_in_where_the_tier_takes_it(team):
    team.change()
    assert team.approve(ANN, live=False).code == 0
    assert team.apply().code == 0
    assert records(team)[0]["how"] == "people"


def test_an_approval_without_the_cluster_does_not_where_the_tier_does_not(team):
    team.git("checkout", "-q", "main")
    team.write(".grayling/review.yaml", POLICY.replace(", offline: true", ""))
    team.commit()
    team.git("checkout", "-q", "change")
    team.git("merge", "-q", "main")
    team.change()
    assert team.approve(ANN, live=False).code == 6
    assert team.apply().code == 4


@pytest.mark.parametrize(("tier", "said"), [("dev", False), ("staging", True), ("prod", True)])
def test_without_a_policy_an_apply_goes_on_as_before_and_says_so_once(person, tier, said):
    import grayling
    from terminal.exits import Session, run

    text = f"config:\n  grayling:environment: {{tier: {tier}, namespace: shop, owners: [a]}}\n"
    path = person.stack("shop", text)
    command = ["stack", "apply", path, "--yes", "--timeout", "0", "--kubeconfig", person.kubeconfig]
    code = run(grayling.cli, command, prog_name="grayling", session=Session(gate=grayling.gate))
    err = person.capsys.readouterr().err
    assert code == 0, err
    assert err.count("no review policy stands here") == said

"""`review preview` tells in red what was taken back on evidence: by the cluster's memory, and by kept records."""

from __future__ import annotations

import json

import pytest

import grayling
from components.deploy.session import rendered
from components.stack.stackfile import find
from kube.kinds import GRAY_RELEASE
from rollout.api.taken_back import config_map_of
from terminal.exits import Session, run
from tests.review.approval.team import ANN, POLICY, Team
from tests.review.previews import preview, step, written
from tests.rollout.taken_back import FORGIVEN, entry, kept

STACK = """config:
  grayling:environment: {tier: staging, namespace: shop, owners: [a]}
  grayling:components: {controller: {image: 'registry.example.com/grayling:1'}}
  grayling:services:
    checkout: {image: 'registry.example.com/checkout:3', env: {LEVEL: info}}
"""
NAME = "GrayRelease shop/checkout"


@pytest.fixture
def path(person, monkeypatch):
    monkeypatch.chdir(person.project)
    return person.stack("shop", STACK)


def bad(path):
    return next(item for item in rendered(find(path)) if item["kind"] == GRAY_RELEASE.kind)


def told(person, *arguments):
    code = run(grayling.cli, ["review", "preview", *arguments, "-o", "json"], prog_name="grayling", session=Session())
    said = person.capsys.readouterr()
    assert code == 0, said.err
    data = json.loads(said.out)
    found = {(each["severity"], each["object"], each["text"]) for each in data["risks"] if each["id"] == "taken-back"}
    return found, [each["id"] for each in data["doubts"]]


def is_red(found):
    ((severity, name, text),) = found
    assert (severity, name) == ("high", NAME)
    assert "was taken back on " in text
    assert "release 0a1b-77" in text
    assert "grayling release forgive checkout -n shop --release 0a1b-77" in text


def pulumis(tmp_path, manifest):
    made = json.dumps(preview(step("create", None, manifest))).replace("urn:pulumi:prod::", "urn:pulumi:shop::")
    return str(written(tmp_path, made))


def remember(person, path, **more):
    person.done(lambda: person.server.put(config_map_of(entry(bad(path), **more))))


def test_our_own_preview_asks_the_cluster(person, path):
    assert told(person, path, "--kubeconfig", person.kubeconfig)[0] == set()
    remember(person, path)
    is_red(told(person, path, "--kubeconfig", person.kubeconfig)[0])


def test_our_own_preview_reads_the_kept_records(person, path):
    kept(person.project / ".grayling/records/a.json", bad(path))
    is_red(told(person, path, "--kubeconfig", person.kubeconfig)[0])


def test_a_preview_of_pulumi_asks_the_cluster_it_is_given(person, path, tmp_path):
    source = pulumis(tmp_path, bad(path))
    remember(person, path)
    found, doubts = told(person, "shop", "--from", source)
    assert (found, "taken-back-not-asked" in doubts) == (set(), True)
    found, doubts = told(person, "shop", "--from", source, "--kubeconfig", person.kubeconfig)
    is_red(found)
    assert "taken-back-not-asked" not in doubts


def test_a_probe_carries_what_it_asked(person, path, tmp_path):
    source = pulumis(tmp_path, bad(path))
    remember(person, path)
    command = ["review", "probe", path, "--from", source, "--kubeconfig", person.kubeconfig]
    assert run(grayling.cli, command, prog_name="grayling", session=Session()) == 0
    probe = tmp_path / "probe.json"
    probe.write_text(person.capsys.readouterr().out)
    found, doubts = told(person, "shop", "--from", source, "--probe", str(probe))
    is_red(found)
    assert "taken-back-not-asked" not in doubts
    older = {key: value for key, value in json.loads(probe.read_text()).items() if key != "staysOut"}
    probe.write_text(json.dumps(older))
    assert "taken-back-not-asked" in told(person, "shop", "--from", source, "--probe", str(probe))[1]


def test_a_preview_of_pulumi_reads_the_kept_records(person, path, tmp_path):
    kept(person.project / ".grayling/records/a.json", bad(path))
    is_red(told(person, "shop", "--from", pulumis(tmp_path, bad(path)))[0])


def test_a_record_that_cannot_be_read_keeps_every_release_out(person, path, tmp_path):
    folder = person.project / ".grayling/records"
    folder.mkdir(parents=True)
    (folder / "torn.json").write_text("{")
    ((severity, name, text),) = told(person, "shop", "--from", pulumis(tmp_path, bad(path)))[0]
    assert (severity, name) == ("high", NAME)
    assert "nobody can say whether it was taken back" in text


def test_what_a_person_forgave_is_none(person, path):
    remember(person, path, forgiven=FORGIVEN)
    assert told(person, path, "--kubeconfig", person.kubeconfig)[0] == set()


def test_nothing_is_doubted_where_no_release_changes(person, path, tmp_path):
    other = next(item for item in rendered(find(path)) if item["kind"] == "ServiceAccount")
    assert "taken-back-not-asked" not in told(person, "shop", "--from", pulumis(tmp_path, other))[1]


def test_no_rule_and_no_approval_lets_it_in_but_a_persons_forgiveness(person, path, tmp_path):
    (tmp_path / "keys").mkdir()
    team = Team(person, tmp_path / "keys")
    policy = POLICY.replace("volatile: [grayling:services.checkout.image]\n", "").replace(
        "byRule: false", "byRule: true"
    )
    team.begin(policy, STACK)
    source = pulumis(tmp_path, bad(path))
    record = kept(person.project / ".grayling/records/a.json", bad(path))
    team.commit()
    verify = ["review", "verify", team.file, "--from", source, "--kubeconfig", person.kubeconfig]
    refused = team.run(*verify)
    assert refused.code == 6
    assert "grayling release forgive" in refused.err
    digest = refused.out.splitlines()[0]
    approve = ["review", "approve", *verify[2:], "--digest", digest, "--key", str(team.key(ANN)), "--as", ANN]
    assert team.run(*approve).code == 6
    record.unlink()
    team.commit()
    assert team.run(*verify).code == 0, "without the record the rule lets it in"

"""Rules of the house at `grayling stack`: refused with 6 before anything is written, excused in the review's file."""

from __future__ import annotations

import json

import pytest
import yaml

from review.approval.policy import read_policy
from tests.components.conftest import ROOT, small
from tests.components.model.values import IMAGE

PLAIN = {"shop": {"image": IMAGE, "env": {"DB_PASSWORD": "hunter2"}}}
EXTERNAL = {"kind": "external", "url": "https://erp.example.com", "owner": "sap"}


@pytest.fixture(autouse=True)
def in_the_project(person, monkeypatch):
    monkeypatch.chdir(person.project)


def stack(person, services=PLAIN, tier="prod", **components):
    environment = {"tier": tier, "namespace": "shop", "owners": ["platform"]}
    components = {"controller": {"image": IMAGE}, **components}
    sections = small(environment=environment, components=components, services=services)
    config = {f"grayling:{name}": section for name, section in sections.items()}
    person.stack("x", yaml.safe_dump({"config": config}))


def rules(person, *waivers, **policy):
    folder = person.project / ".grayling"
    folder.mkdir(exist_ok=True)
    people = {"reviewers": ["ann@example.com", "bob@example.com"]}
    body = {
        "schema": "grayling.policy/1",
        "groups": people,
        "waivers": list(waivers),
        **({"policy": policy} if policy else {}),
    }
    (folder / "review.yaml").write_text(yaml.safe_dump(body))


def waiver(**more):
    own = {"rule": "house-plain-secret", "object": "GrayRelease shop/shop", "reason": "a test password, public anyway"}
    return {**own, "until": "2027-01-31", "by": "ann", **more}


@pytest.mark.parametrize("command", ["render", "validate", "apply", "policy"])
def test_a_broken_rule_is_exit_6_and_nothing_is_written(person, command):
    stack(person)
    told = person.apply("x") if command == "apply" else person.grayling(command, "x")
    assert told.code == 6
    assert "GrayRelease shop/shop: shop: DB_PASSWORD holds a text (house-plain-secret); name a Secret" in told.err
    assert "hunter2" not in told.err
    if command == "render":
        assert told.out == ""
    assert not person.server.objects


def test_a_render_may_be_had_all_the_same(person):
    stack(person)
    told = person.grayling("render", "x", "--no-policy")
    assert (told.code, "DB_PASSWORD" in told.out) == (0, True)


def test_a_part_is_not_let_through_where_another_part_is_broken(person):
    stack(person)
    assert person.grayling("render", "x", "--only", "controller").code == 6


def test_a_waiver_lets_it_through_and_is_told(person):
    stack(person)
    rules(person, waiver())
    assert person.grayling("validate", "x").code == 0
    data = json.loads(person.grayling("policy", "x", "-o", "json").out)
    assert data["refused"] == []
    assert [(each["rule"], each["by"], each["until"]) for each in data["waived"]] == [
        ("house-plain-secret", "ann", "2027-01-31")
    ]
    assert {each["rule"] for each in data["advised"]} >= {"house-image-digest", "house-alerts"}


def test_a_waiver_that_ended_is_exit_6(person):
    stack(person, services={"shop": {"image": IMAGE}})
    rules(person, waiver(until="2026-01-31"))
    told = person.grayling("validate", "x")
    assert told.code == 6
    assert (
        "waivers: house-plain-secret for 'GrayRelease shop/shop' ended on 2026-01-31; mend it, or let ann" in told.err
    )


def test_a_project_makes_advice_mandatory(person):
    stack(person, services={"shop": {"image": IMAGE}}, redis={})
    assert person.grayling("validate", "x").code == 0
    assert "rules of the house advise" in person.grayling("validate", "x").err
    rules(person, mandatory=["house-tls-off"])
    told = person.grayling("validate", "x")
    assert (told.code, "redis redis: is not encrypted (house-tls-off); tls: {}" in told.err) == (6, True)
    stack(person, services={"shop": {"image": IMAGE}}, redis={"tls": {}})
    assert person.grayling("validate", "x").code == 0


def test_an_external_system_has_a_contract_where_it_matters(person):
    stack(person, services={}, erp=EXTERNAL)
    told = person.grayling("validate", "x")
    assert (told.code, "Service shop/erp: is a system of others without a contract" in told.err) == (6, True)
    stack(person, services={}, tier="dev", erp=EXTERNAL)
    assert person.grayling("validate", "x").code == 0
    stack(person, services={}, erp={**EXTERNAL, "contract": "https://erp.example.com/openapi.yaml"})
    assert person.grayling("validate", "x").code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("waivers: [{rule: house-owner, object: '*', reason: x, until: '2027-01-01', by: a}]", "waivers[0].object"),
        ("waivers: [{rule: house-owner, object: Namespace a, reason: short, until: '2027-01-01', by: a}]", "no reason"),
        (
            "waivers: [{rule: house-owner, object: Namespace a, reason: long enough, until: '2099-01-01', by: a}]",
            "ahead",
        ),
        ("waivers: [{rule: house-owner, object: Namespace a, reason: long enough, by: a}]", "waivers[0].until"),
        ("policy: {mandatory: [house-ownr]}", "did you mean 'house-owner'?"),
        ("policy: {mandatry: []}", "policy.mandatry: no such key"),
        ("[", ".grayling/review.yaml"),
        ("- a", ".grayling/review.yaml:1: is no map"),
    ],
)
def test_mistakes_in_the_file_are_told_with_line_and_key(person, text, said):
    stack(person, services={})
    rules(person)
    (person.project / ".grayling" / "review.yaml").write_text(text)
    told = person.grayling("validate", "x")
    assert told.code == 2
    assert said in told.err, told.err
    assert ".grayling/review.yaml" in told.err


def test_the_review_reads_the_same_file(person):
    rules(person, waiver(), mandatory=["*"])
    policy = read_policy((person.project / ".grayling" / "review.yaml").read_bytes())
    assert policy.policy.mandatory == ("*",)
    assert policy.waivers[0].rule == "house-plain-secret"


@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_the_stacks_of_this_repository_keep_what_is_mandatory(name):
    from components.deploy.render import render
    from components.policy.project import look_at
    from components.stack.stackfile import find

    file = find(name, ROOT)
    look_at(file, render(file)).insist(file.source)


def test_waves_apply_nothing_that_is_refused(person):
    from components.policy.evaluate import PolicyError
    from review.promotion.waves.targets import declared

    stack(person, services={"shop": {"image": IMAGE, "env": {"DB_PASSWORD": "hunter2"}}})
    with pytest.raises(PolicyError, match="house-plain-secret"):
        declared(["x"])

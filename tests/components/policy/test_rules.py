"""Each rule finds what it is about, and nothing where it is kept; waivers hold until their day and for their object."""

from __future__ import annotations

import datetime as dt
import gzip
import json

import pytest

from components.model.profiles import Tier
from components.model.waivers import Excuse
from components.policy.evaluate import PolicyError, broken, judged
from components.policy.of_objects import label_of
from components.policy.pack import per_resource, per_stack, plain, violations
from components.policy.rule import Entry
from components.policy.table import BY_ID, RULES
from components.stack.catalogue import KINDS
from tests.components.conftest import ROOT
from tests.components.policy.cases import OF_ALL, OF_ENTRIES, OF_OBJECTS, deployment

PREVIEWS = ROOT / "tests" / "data" / "previews"
TODAY = dt.date(2026, 6, 1)


def ids(found):
    return {each.rule.id for each in found}


def entry(kind, said):
    return Entry("one", kind, said, KINDS[kind].Settings)


def test_every_rule_has_a_case():
    assert {*OF_OBJECTS, *OF_ALL, *OF_ENTRIES} == BY_ID.keys()
    assert len(BY_ID) == len(RULES)


@pytest.mark.parametrize("name", OF_OBJECTS)
def test_an_object_that_breaks_a_rule_is_found_and_one_that_keeps_it_is_not(name):
    bad, good = OF_OBJECTS[name]
    assert name in ids(broken(Tier.PROD, [bad]))
    assert name not in ids(broken(Tier.PROD, [good]))
    assert all(each.text for each in broken(Tier.PROD, [bad]))


@pytest.mark.parametrize("name", OF_ALL)
def test_a_stack_that_breaks_a_rule_is_found(name):
    bad, good = OF_ALL[name]
    assert name in ids(broken(Tier.PROD, bad))
    assert name not in ids(broken(Tier.PROD, good))


def test_an_entry_that_breaks_a_rule_is_found():
    for name, cases in OF_ENTRIES.items():
        for kind, bad, good in cases:
            assert name in ids(broken(Tier.PROD, [], [entry(kind, bad)])), kind
            assert name not in ids(broken(Tier.PROD, [], [entry(kind, good)])), kind


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_a_rule_holds_in_its_tiers_alone(rule):
    if rule.entries:
        kind, bad, _ = OF_ENTRIES[rule.id][0]
        objects, entries = [], [entry(kind, bad)]
    else:
        objects = OF_ALL[rule.id][0] if rule.every else [OF_OBJECTS[rule.id][0]]
        entries = []
    for tier in Tier:
        assert (rule.id in ids(broken(tier, objects, entries))) == (tier in rule.tiers)


@pytest.mark.parametrize("spec", [None, 7, [], {"template": 3}, {"template": {"spec": {"containers": [1, {}]}}}])
@pytest.mark.parametrize("kind", ["Deployment", "GrayRelease", "NetworkPolicy", "Service", ["x"], None])
def test_nonsense_is_read_without_a_traceback(kind, spec):
    manifest = {"kind": kind, "metadata": {"name": "x", "labels": 3, "annotations": []}, "spec": spec}
    list(broken(Tier.PROD, [manifest]))


def excuse(rule="house-single-replica", until=TODAY, name="Deployment shop/*"):
    given = {"rule": rule, "object": name, "reason": "one is enough for a night", "until": until, "by": "ann"}
    return Excuse.model_validate(given, context={"today": TODAY})


def found_in_one_pod():
    return list(broken(Tier.PROD, [OF_OBJECTS["house-single-replica"][0]], rules=[ONE]))


ONE = BY_ID["house-single-replica"]


def test_a_rule_advises_until_a_project_makes_it_mandatory():
    assert judged(found_in_one_pod(), [], [], TODAY).refused == ()
    assert len(judged(found_in_one_pod(), [], [], TODAY).advised) == 1
    for mandatory in (["house-single-replica"], ["*"]):
        verdict = judged(found_in_one_pod(), [], mandatory, TODAY)
        with pytest.raises(PolicyError, match=r"s\.yaml: 1 broken rules of the house.*\n.*has one pod") as error:
            verdict.insist("s.yaml")
        assert error.value.exit_code == 6
        assert "give it replicas" in str(error.value)


def test_a_waiver_holds_for_its_object_and_through_its_last_day():
    verdict = judged(found_in_one_pod(), [excuse()], ["*"], TODAY)
    assert (len(verdict.waived), verdict.refused, verdict.expired) == (1, (), ())
    verdict.insist("s.yaml")
    other = judged(found_in_one_pod(), [excuse(name="Deployment other/*")], ["*"], TODAY)
    assert len(other.refused) == 1
    wrong = judged(found_in_one_pod(), [excuse(rule="house-limits")], ["*"], TODAY)
    assert len(wrong.refused) == 1


def test_a_waiver_that_ended_is_an_error_by_itself():
    late = TODAY + dt.timedelta(days=1)
    verdict = judged([], [excuse()], [], late)
    with pytest.raises(PolicyError, match="ended on 2026-06-01; mend it, or let ann renew it"):
        verdict.insist("s.yaml")
    assert len(judged(found_in_one_pod(), [excuse()], ["*"], late).refused) == 1
    of_a_risk = Excuse.model_validate(
        {**excuse().model_dump(), "rule": "data-deleted", "until": TODAY}, context={"today": TODAY}
    )
    assert judged([], [of_a_risk], [], late).expired == ()


def test_the_pack_has_every_rule_that_needs_no_stack_file():
    assert {rule.id for rule in (*per_resource(), *per_stack())} == BY_ID.keys() - OF_ENTRIES.keys()


class Proxy:
    """As the engine hands inputs over: a map that is no dict."""

    def __init__(self, data):
        self.data = data

    def items(self):
        return self.data.items()


@pytest.mark.parametrize("rule", per_resource(), ids=lambda rule: rule.id)
def test_the_pack_tells_what_the_table_tells(rule):
    bad, good = OF_OBJECTS[rule.id]
    kind = f"kubernetes:apps/v1:{bad['kind']}"
    (said, *_) = violations(rule, "prod", [(kind, Proxy(bad))])
    assert said.startswith(label_of(bad))
    assert rule.fix in said
    assert violations(rule, "prod", [(kind, good)]) == []
    assert violations(rule, "prod", [("aws:s3:Bucket", bad)]) == []


def test_the_pack_reads_numbers_as_protobuf_has_them():
    assert plain({"replicas": 1.0, "share": 0.5, "list": [2.0]}) == {"replicas": 1, "share": 0.5, "list": [2]}
    single = {**deployment(), "spec": {**deployment()["spec"], "replicas": 1.0}}
    assert violations(ONE, "prod", [("kubernetes:apps/v1:Deployment", single)])
    with pytest.raises(ValueError, match="is not a valid Tier"):
        violations(ONE, "production", [])


def recorded():
    """Every resource of a preview that the real Pulumi made: its type and inputs."""
    data = json.loads(gzip.decompress((PREVIEWS / "create-all-prod.json.gz").read_bytes()))
    states = [step["newState"] for step in data["steps"]]
    return [(state["type"], state.get("inputs", {})) for state in states]


def test_a_recorded_program_breaks_what_it_is_known_to_break():
    resources = recorded()
    assert len([kind for kind, _ in resources if kind.startswith("kubernetes:")]) > 20
    told = {rule.id: violations(rule, "prod", resources) for rule in (*per_resource(), *per_stack())}
    assert [name for name, said in told.items() if said and BY_ID[name].mandatory] == []
    assert any("prometheus" in said for said in told["house-single-replica"])
    assert told["house-image-digest"]
    changed = json.loads(json.dumps(resources).replace('"runAsNonRoot": true', '"x": 1'))
    assert violations(BY_ID["house-restricted"], "prod", changed)
    assert violations(BY_ID["house-restricted"], "local", changed) == []

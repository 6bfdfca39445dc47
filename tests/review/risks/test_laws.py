"""Laws of all rules: none raises whatever an object is, order does not matter, nothing unrelated hides a risk."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from review.model.change import Change, ChangeSet, ObjectRef, Op
from review.model.normal import edits
from review.model.risk import Severity
from review.risks.table import RULES
from tests.review.risks.building import BASES, change_set, changes_of, found, load, put, step

ALL_KINDS = sorted({kind for rule in RULES for kind in rule.kinds} | {base["kind"] for base in BASES.values()})
WORDS = sorted(
    {
        *("spec", "metadata", "data", "template", "containers", "name", "labels", "rules", "verbs", "versions"),
        *("steps", "signals", "listeners", "webhooks", "subjects", "ingress", "egress", "from", "ports", "env"),
        *(
            "podSelector",
            "volumes",
            "securityContext",
            "capabilities",
            "resources",
            "requests",
            "limits",
            "analysis",
            "strategy",
        ),
    }
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=6), st.sampled_from(WORDS)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)
OPS = st.sampled_from([(op,) for op in Op] + [(Op.IMPORT, Op.REPLACE)])
CASES = load("dangers") + load("plain")


def paths(value, path=()):
    """Every place in a manifest."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(inner, (*path, key))


def swapped(value, path, new):
    """A copy with another value at one place."""
    if not path:
        return new
    made = dict(value) if isinstance(value, dict) else list(value)
    made[path[0]] = swapped(made[path[0]], path[1:], new)
    return made


def one_change(kind, ops, before, after):
    before = None if ops in {(Op.CREATE,), (Op.IMPORT,)} else before
    after = None if ops in {(Op.DELETE,), (Op.RETAIN,)} else after
    ref = ObjectRef("v1", kind, "shop", "thing")
    return Change(ref, ops, before, after, edits(before, after) if before is not None and after is not None else ())


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(ALL_KINDS),
    ops=OPS,
    before=st.dictionaries(st.sampled_from(WORDS), JSON, max_size=4),
    after=st.dictionaries(st.sampled_from(WORDS), JSON, max_size=4),
)
def test_no_rule_raises_on_nonsense(kind, ops, before, after):
    changes = ChangeSet("render", changes=(one_change(kind, ops, before, after),))
    assert all(isinstance(risk.severity, Severity) for risk in found(changes))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(base=st.sampled_from(sorted(BASES)), ops=OPS, data=st.data())
def test_no_rule_raises_where_one_place_of_a_good_object_holds_something_else(base, ops, data):
    good = BASES[base]
    broken = good
    for _ in range(data.draw(st.integers(1, 2))):
        places = [path for path in paths(broken) if path]
        if places:
            broken = swapped(broken, data.draw(st.sampled_from(places)), data.draw(JSON))
    sides = data.draw(st.permutations([good, broken]))
    for kind in (good["kind"], data.draw(st.sampled_from(ALL_KINDS))):
        found(ChangeSet("render", changes=(one_change(kind, ops, *sides),)))


@pytest.mark.parametrize("seed", range(20))
def test_order_does_not_matter(seed):
    mixed = random.Random(seed)  # noqa: S311 - the same shuffles every time
    cases = mixed.sample(CASES, 12)
    changes = [change for case in cases for change in changes_of(case).changes]
    told = found(ChangeSet("render", changes=tuple(changes)))
    mixed.shuffle(changes)
    assert found(ChangeSet("render", changes=tuple(changes))) == told


@pytest.mark.parametrize("case", [pytest.param(case, id=case["what"].replace(" ", "-")) for case in load("dangers")])
def test_a_change_of_something_else_hides_nothing(case):
    alone = changes_of(case)
    other = put(BASES["config"], {"metadata name": "unrelated", "metadata namespace": "elsewhere"})
    more = change_set(step(other, put(other, {"metadata labels": {"team": "a"}}))).changes
    both = found(ChangeSet("render", changes=(*alone.changes, *more)))
    assert set(found(alone)) <= set(both)


def test_what_is_found_is_told_once_and_the_worst_first():
    changes = ChangeSet("render", changes=tuple(change for case in CASES for change in changes_of(case).changes))
    told = found(changes)
    assert len(set(told)) == len(told)
    weights = [risk.counted for risk in told]
    assert weights == sorted(weights, reverse=True)

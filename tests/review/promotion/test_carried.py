"""What belongs to a version goes along, what is the environment's stays, and what is neither is asked about."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.releases.camel_settings import CamelSettings
from components.releases.service_settings import ServiceSettings
from review.promotion.carried import STAYS, TRAVELS, carried

REFERENCE, OTHER = {"secret": "pay", "key": "token"}, {"secret": "pay-prod", "key": "token"}

SIDECAR = {"name": "s", "image": "r.example.com/s:1", "env": {"T": REFERENCE}, "readiness": {"port": 90}}


def between(source, target, *own):
    base = {"image": "r.example.com/a:1"}
    return carried({**base, **source}, {**base, **target}, source.get("image", base["image"]), own)


def edits(source, target, *own):
    found = between(source, target, *own)
    assert not found.refusals
    return {edit.key: edit.value for edit in found.edits}


def test_every_key_of_a_service_is_said_to_go_or_to_stay_with_its_reason():
    keys = {field.alias or name for name, field in CamelSettings.model_fields.items()}
    assert keys == {*TRAVELS, *STAYS}
    assert not {*TRAVELS} & {*STAYS}
    assert all([*TRAVELS.values(), *STAYS.values()])


def test_the_documented_table_is_the_code_s():
    from pathlib import Path

    page = (Path(__file__).parents[3] / "docs" / "how-to" / "promotion.md").read_text()
    for key, reason in {**TRAVELS, **STAYS}.items():
        assert f"| `{key}` | {reason} |" in page


def test_what_stays_is_never_written():
    different = {"replicas": 9, "resources": {"cpu": "2", "memory": "1Gi"}, "traffic": {}, "drainSeconds": 9}
    assert edits(different, {}) == edits({}, different) == {}


def test_texts_written_in_two_ways_are_the_same():
    assert edits({"env": {"A": "1"}}, {"env": {"A": {"value": "1"}}}) == {}
    assert edits({"port": 8080}, {}) == {}
    assert edits({"port": 9090}, {}) == {"port": 9090}


def test_a_key_in_another_spelling_is_the_same_key():
    assert edits({"admin_port": 9100}, {"adminPort": 9100}) == {}
    assert edits({"admin_port": 9100}, {"adminPort": 9200}) == {"adminPort": 9100}
    assert edits({"adminPort": 9100}, {"admin_port": 9200}) == {"admin_port": 9100}
    assert edits({"adminPort": 9100}, {"admin_port": 9200}, "adminPort") == {}


def test_references_to_secrets_are_each_side_s_own():
    assert edits({"env": {"T": REFERENCE}}, {"env": {"T": OTHER}}) == {}
    assert edits({}, {"env": {"T": OTHER}}) == {}


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        (
            {"env": {"T": REFERENCE}},
            {},
            "env.T: is the key of a Secret, which never goes along, and the target has none",
        ),
        ({"env": {"T": REFERENCE}}, {"env": {"T": "x"}}, "and the target says a text: give it one there"),
        ({"env": {"T": "x"}}, {"env": {"T": OTHER}}, "env.T: names the key of a Secret"),
        ({}, {"env": {"OLD": "x"}}, "env.OLD: the target alone has it"),
        ({}, {"config": {"a.yaml": "x"}}, "config.a.yaml: the target alone has it"),
        ({}, {"command": ["x"]}, "command: the target alone has it"),
        (
            {"sidecars": [SIDECAR]},
            {},
            "sidecars: names the key of a Secret",
        ),
        (
            {},
            {"sidecars": [SIDECAR]},
            "sidecars: the target alone has it",
        ),
    ],
)
def test_what_is_neither_is_refused_until_somebody_says_whose_it_is(source, target, told):
    (refusal,) = between(source, target).refusals
    assert told in refusal
    key = refusal.partition(":")[0]
    assert between(source, target, key) == type(between({}, {}))((), (), (key,))


def test_a_whole_map_can_be_the_target_s_own():
    found = between({"env": {"A": "1", "B": "2"}, "args": ["x"]}, {"env": {"A": "3"}}, "env")
    assert [edit.key for edit in found.edits] == ["args"]
    assert found.own == ("env.A", "env.B")


TEXTS = st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "2"]), max_size=2)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "env": TEXTS,
        "config": st.dictionaries(
            st.sampled_from(["a.yaml", "b.yaml"]), st.sampled_from(["x: 1\n", "x: 2\n"]), max_size=2
        ),
        "args": st.lists(st.sampled_from(["run", "--fast"]), min_size=1, max_size=2),
        "port": st.sampled_from([8080, 9090, None]),
        "adminPort": st.sampled_from([9000, 9100]),
        "replicas": st.integers(1, 9),
        "drainSeconds": st.integers(0, 9),
    },
)


@given(SETTINGS, SETTINGS)
def test_what_was_carried_over_is_the_version_that_was_proven(source, target):
    """Afterwards the two make the same pods, but for what stays; or it was refused."""
    found = between(source, target)
    after = json.loads(json.dumps(target))
    for edit in found.edits:
        *above, last = edit.path
        here = after.setdefault(above[0], {}) if above else after
        here[last] = edit.value
    assert not between(source, after).edits
    assert {key: after.get(key) for key in STAYS} == {key: target.get(key) for key in STAYS}
    if not found.refusals:
        meant = [ServiceSettings.model_validate({"image": "r.example.com/a:1", **each}) for each in (source, after)]
        dumped = [each.model_dump(mode="json", by_alias=True, include=NAMES) for each in meant]
        assert dumped[0] == dumped[1]


NAMES = {name for name, field in ServiceSettings.model_fields.items() if (field.alias or name) in TRAVELS}

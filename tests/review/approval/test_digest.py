"""The digest: the same for the same change, another for every change that matters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.approval.digest import Bound, bound, canonical, decides, differences
from review.approval.volatile import volatile_of
from review.model.change import Change, ChangeSet, Edit, ObjectRef, Op
from review.reading.pulumi import read_pulumi
from review.reading.source import Document, read_document

REF = ObjectRef("apps/v1", "Deployment", "shop", "web")
OTHER = ObjectRef("v1", "ConfigMap", "shop", "files")
UPDATE = Change(REF, (Op.UPDATE,), {}, {"spec": {"replicas": 3}}, (Edit(("spec", "replicas"), 2, 3),), component="web")
CREATE = Change(OTHER, (Op.CREATE,), None, {"data": {"a": "1"}}, component="web")
CHANGES = ChangeSet(
    "render", stack="s", changes=(UPDATE, CREATE), cluster="c", live={str(REF): "u@2", str(OTHER): "absent"}
)
FILES = {"__main__.py": b"x\n", "requirements.lock": b"y\n", "stacks/Pulumi.s.yaml": b"z\n", "review/a.py": b"\0\r\n"}
CONFIG = {"grayling:environment": {"tier": "prod", "list": ["a", "b"]}, "pulumi.encryptionsalt": "v1:x"}


def made(changes=CHANGES, files=FILES, config=CONFIG, **more) -> Bound:
    return bound(changes, project="p", stack="s", files=files, config=config, own="stacks/Pulumi.s.yaml", **more)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
keyed = st.dictionaries(st.text(min_size=1, max_size=6), values, max_size=5)


def shuffled(value):
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(inner) for inner in value] if isinstance(value, list) else value


def floated(value):
    if isinstance(value, dict):
        return {key: floated(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [floated(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(keyed)
def test_order_of_keys_and_kind_of_number_do_not_matter(value):
    assert canonical(shuffled(value)) == canonical(floated(value)) == canonical(value)
    assert made(config=shuffled(value)).digest == made(config=floated(value)).digest == made(config=value).digest


@given(keyed, keyed)
def test_two_configurations_have_one_digest_only_if_they_are_one(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (made(config=one).digest == made(config=other).digest) == same


@given(st.lists(keyed, max_size=4, unique_by=lambda each: json.dumps(each, sort_keys=True)), st.randoms())
def test_the_order_of_changes_does_not_matter_and_each_of_them_does(objects, random):
    changes = [Change(replace_name(str(place)), (Op.CREATE,), None, each) for place, each in enumerate(objects)]
    mixed = random.sample(changes, len(changes))
    whole = made(replace(CHANGES, changes=tuple(changes)))
    assert made(replace(CHANGES, changes=tuple(mixed))).digest == whole.digest
    for change in changes:
        fewer = tuple(each for each in changes if each is not change)
        assert made(replace(CHANGES, changes=fewer)).digest != whole.digest


def replace_name(name):
    return ObjectRef("v1", "ConfigMap", "shop", name)


def with_change(**more):
    return made(replace(CHANGES, changes=(replace(UPDATE, **more), CREATE)))


MATTERS = {
    "changes: Deployment shop/web: spec.replicas (another)": lambda: with_change(
        edits=(Edit(("spec", "replicas"), 2, 4),)
    ),
    "changes: Deployment shop/web: spec.paused (new)": lambda: with_change(
        edits=(*UPDATE.edits, Edit(("spec", "paused"), None, "yes"))
    ),
    "changes: Deployment shop/web: operation (another)": lambda: with_change(ops=(Op.DELETE,)),
    "changes: Deployment shop/web: forced by (new)": lambda: with_change(forced_by=("spec.selector",)),
    "changes: Deployment shop/web: protected (new)": lambda: with_change(protected=True),
    "changes: Deployment shop/web: unknown (new)": lambda: with_change(unknown=(("spec",),)),
    "changes: Deployment shop/web: problem (new)": lambda: with_change(problem="no"),
    "changes: Deployment shop/web: taken from (new)": lambda: with_change(others={"spec.replicas": "kubectl"}),
    "changes: Deployment shop/web: stood (new)": lambda: with_change(stood="u@1"),
    "changes: ConfigMap shop/files: after (another)": lambda: made(
        replace(CHANGES, changes=(UPDATE, replace(CREATE, after={"data": {"a": "2"}})))
    ),
    "live: Deployment shop/web (another)": lambda: made(replace(CHANGES, live={**CHANGES.live, str(REF): "u@3"})),
    "live: cluster (new)": lambda: made(replace(CHANGES, live={}, cluster="")),
    "program: __main__.py (another)": lambda: made(files={**FILES, "__main__.py": b"x \n"}),
    "program: more.py (new)": lambda: made(files={**FILES, "more.py": b""}),
    "program: review/a.py (another)": lambda: made(files={**FILES, "review/a.py": b"\0\n"}),
    "program: .grayling/review.yaml (new)": lambda: made(files={**FILES, ".grayling/review.yaml": b""}),
    "locks: requirements.lock (another)": lambda: made(files={**FILES, "requirements.lock": b"z\n"}),
    "configuration: grayling:environment.tier (another)": lambda: made(
        config={**CONFIG, "grayling:environment": {"tier": "dev", "list": ["a", "b"]}}
    ),
    "configuration: grayling:environment.list (another)": lambda: made(
        config={**CONFIG, "grayling:environment": {"tier": "prod", "list": ["b", "a"]}}
    ),
    'configuration: "pulumi.encryptionsalt" (another)': lambda: made(
        config={**CONFIG, "pulumi.encryptionsalt": "v1:y"}
    ),
    "source: approved of a render, this is a pulumi-preview": lambda: made(replace(CHANGES, source="pulumi-preview")),
}


@pytest.mark.parametrize("words", MATTERS)
def test_what_matters_changes_the_digest_and_is_named(words):
    other = MATTERS[words]()
    assert other.digest != made().digest
    told = differences(made(), other)
    part, _, entry = words.partition(": ")
    assert any(each.startswith(part) and entry in each for each in told), told


SAME = {
    "line ends": lambda: made(files={**FILES, "__main__.py": b"x\r\n"}),
    "pages": lambda: made(files={**FILES, "README.md": b"", "docs/x.html": b""}),
    "approvals and records": lambda: made(
        files={**FILES, ".grayling/approvals/s/x/y.json": b"", ".grayling/records/z": b""}
    ),
    "another stack": lambda: made(files={**FILES, "stacks/Pulumi.t.yaml": b"other"}),
    "the stack file's own text": lambda: made(files={**FILES, "stacks/Pulumi.s.yaml": b"# a comment\nz\n"}),
    "what stays": lambda: made(replace(CHANGES, unchanged=7)),
    "the name of the context": lambda: made(replace(CHANGES, cluster="context x (https://y)")),
    "other objects of the cluster": lambda: made(replace(CHANGES, live={**CHANGES.live, "Pod shop/x": "a@1"})),
}


@pytest.mark.parametrize("name", SAME)
def test_what_decides_nothing_changes_nothing(name):
    assert SAME[name]().digest == made().digest


def test_two_objects_that_are_called_the_same_hide_one_another_not():
    twin = replace(CREATE, ref=OTHER._replace(api_version="v2"), after={"data": {"a": "9"}})
    both = made(replace(CHANGES, changes=(UPDATE, CREATE, twin)))
    other = made(replace(CHANGES, changes=(UPDATE, replace(CREATE, after={"data": {"a": "7"}}), twin)))
    assert len({both.digest, other.digest, made().digest}) == 3


def test_two_paths_that_are_written_the_same_hide_one_another_not():
    one, other = Edit(("spec", "x", 1), 1, 2), Edit(("spec", "x", "[1]"), 1, 2)
    digests = {
        with_change(edits=edits).digest for edits in ((one,), (other,), (one, other), (one, replace(other, after=3)))
    }
    assert len(digests) == 4


def test_keys_with_dots_are_not_taken_for_two():
    assert made(config={"a.b": {"c": 1}}).digest != made(config={"a": {"b.c": 1}}).digest
    assert made(config={"a": {}}).digest != made(config={}).digest


def test_a_project_and_a_stack_have_digests_of_their_own():
    digests = {bound(CHANGES, project=p, stack=s, files={}, config={}).digest for p in "ab" for s in "cd"}
    assert len(digests) == 4


PREVIEWS = sorted((Path(__file__).parents[2] / "data").rglob("*.json*"))


@pytest.mark.parametrize("path", PREVIEWS, ids=lambda path: path.name)
def test_real_previews_read_twice_plain_or_packed_have_one_digest(path, tmp_path):
    document = read_document(str(path))
    plain = tmp_path / "plain.json"
    lines = "\n".join(json.dumps(each) for each in document.data) if document.lines else json.dumps(document.data)
    plain.write_text(lines)
    again = read_document(str(plain))
    assert made(read_pulumi(again)).digest == made(read_pulumi(document)).digest


@pytest.mark.parametrize("path", PREVIEWS, ids=lambda path: path.name)
def test_real_previews_with_floats_for_integers_have_one_digest(path):
    document = read_document(str(path))
    if document.lines:
        data = [floated(each) if "resourcePreEvent" in each else each for each in document.data]
    else:
        data = {**document.data, "steps": floated(document.data.get("steps") or [])}
    floats = Document(document.name, data, document.lines, document.sha256)
    assert made(read_pulumi(floats)).digest == made(read_pulumi(document)).digest


@pytest.mark.parametrize(
    ("name", "has_a_part"),
    [("a.py", True), ("docs/x.py", True), ("docs/x.txt", False), ("x/docs/y.py", True), ("A.md", False)],
)
def test_what_decides(name, has_a_part):
    assert decides(name) == has_a_part


def test_no_volatile_field_of_another_kind():
    assert volatile_of([], CONFIG).names == ()

"""What differs between two objects: by names where items have them, exact in types, and nothing twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.model.change import path_text
from review.model.normal import at, edits, named_path, normalised, same

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("abz[.", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abname", max_size=4), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text("abname", max_size=4), JSON, max_size=4)


def told(before, after):
    return [(edit.text, edit.before, edit.after) for edit in edits(before, after)]


def test_items_are_told_apart_by_their_names_wherever_they_stand():
    before = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    after = {"env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}
    assert told(before, after) == [
        ("env[A]", {"name": "A", "value": "1"}, None),
        ("env[B].value", "2", "3"),
        ("env[C]", None, {"name": "C", "value": "4"}),
    ]


def test_the_order_of_named_items_is_one_edit():
    before, after = {"env": [{"name": "A"}, {"name": "B"}]}, {"env": [{"name": "B"}, {"name": "A"}]}
    assert told(before, after) == [("env", ["[A]", "[B]"], ["[B]", "[A]"])]


def test_plain_lists_are_one_value():
    assert told({"args": ["a", "b"]}, {"args": ["a"]}) == [("args", ["a", "b"], ["a"])]


def test_items_without_names_go_by_place():
    before, after = {"rules": [{"to": [{"x": 1}]}]}, {"rules": [{"to": [{"x": 2}]}, {"to": []}]}
    assert told(before, after) == [("rules[0].to[0].x", 1, 2), ("rules[1]", None, {"to": []})]


def test_mounts_of_one_volume_twice_are_told_apart_by_their_path():
    before = {"m": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]}
    after = {"m": [{"name": "v", "mountPath": "/b", "readOnly": True}]}
    assert told(before, after) == [("m[/a]", before["m"][0], None), ("m[/b].readOnly", None, True)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(1, 1.0, True), (1, True, False), ("1", 1, False), (None, "", False), ([1, 2], [2, 1], False), ({}, [], False)],
)
def test_what_is_the_same(one, other, expected):
    assert same(one, other) is expected


def test_wholes_are_integers_and_keys_are_texts():
    assert normalised({"a": [2.0, 2.5, True], 1: "x"}) == {"a": [2, 2.5, True], "1": "x"}
    assert isinstance(normalised(2.0), int)


def test_keys_with_dots_are_quoted():
    assert path_text(("metadata", "annotations", "a.b/c")) == 'metadata.annotations["a.b/c"]'


def test_a_path_by_places_becomes_one_by_names():
    before = {"c": [{"name": "x", "env": [{"name": "A"}]}]}
    after = {"c": [{"name": "x", "env": [{"name": "B"}, {"name": "A"}]}]}
    assert named_path(("c", 0, "env", 1, "value"), before, after) == ("c", "[x]", "env", "[A]", "value")
    assert named_path(("args", 3), {"args": ["a"]}, {"args": ["b"]}) == ("args", 3)


@given(OBJECTS, OBJECTS)
def test_no_edits_means_the_same_and_each_edit_is_where_it_says(before, after):
    found = edits(before, after)
    assert (found == ()) == same(before, after)
    for edit in found:
        assert not same(edit.before, edit.after) or edit.before is None or isinstance(edit.before, list)


@given(OBJECTS)
def test_nothing_differs_from_itself(value):
    assert edits(value, value) == ()


def test_a_value_is_found_at_its_path():
    value = {"a": [{"name": "x", "v": 1}], "b": [[7]]}
    assert at(value, ("a", "[x]", "v")) == 1
    assert at(value, ("b", 0, 0)) == 7
    assert at(value, ("a", "[y]", "v")) is None
    assert at(value, ("b", 9, "c")) is None

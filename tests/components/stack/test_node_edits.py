"""Whole values of a stack file are put in the place of others, and nothing else moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.model.mistakes import StackError
from components.stack.node_edits import with_node
from components.stack.nodes import plain
from components.stack.reading import composed

TEXT = """# top
config:
  # above
  services:
    a:
      image: x:1   # the image
      args: [run]   # why
      env:
        A: "1"  # one
        B: two
      config:
        f.yaml: |
          a: 1
          b: 2
        g.txt: hi
      probes:
        liveness:
          path: /x
      # below
      replicas: 3
    b: {image: y:1, args: [z]}
    shared: &s [one]
    same: *s
"""
A, B = ("config", "services", "a"), ("config", "services", "b")


def put(parts, value, text=TEXT):
    return with_node(composed(text, "stacks/t.yaml"), parts, value)


def lines_that_differ(after):
    return [line for line in after.splitlines() if line not in TEXT.splitlines()]


@pytest.mark.parametrize(
    ("parts", "value", "written"),
    [
        ((*A, "image"), "x:2", ["      image: x:2   # the image"]),
        ((*A, "args"), ["run", "--x"], ['      args: ["run", "--x"]   # why']),
        ((*A, "env", "A"), "2", ['        A: "2"  # one']),
        ((*A, "env", "C"), "l\nm\n", ["        C: |", "          l", "          m"]),
        ((*A, "config", "g.txt"), "p\n", ["        g.txt: |", "          p"]),
        ((*A, "config", "f.yaml"), "a: 1\n\nb: 3\n", ["          b: 3", ""]),
        ((*A, "port"), None, ["      port: null"]),
        ((*A, "probes"), {"liveness": {"path": "/y"}}, ["          path: /y"]),
        ((*B, "args"), ["q"], ['    b: {image: y:1, args: ["q"]}']),
        ((*B, "env"), {"A": "1"}, ['    b: {env: {A: "1"}, image: y:1, args: [z]}']),
    ],
)
def test_a_value_is_written_as_a_person_would(parts, value, written):
    after = put(parts, value)
    assert sorted(lines_that_differ(after)) == sorted(set(written))
    assert {"  # above", "      # below"} <= set(after.splitlines())


def test_what_others_share_is_not_changed():
    with pytest.raises(StackError, match=r"stacks/t\.yaml:22: .*shared.*line 23"):
        put(("config", "services", "shared"), ["two"])
    with pytest.raises(StackError, match="is not there"):
        put(("config", "nobody", "x"), "y")


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12) | st.sampled_from(
    ["a\nb\n", "a\n", "\n", " lead\nx", "# no", "yes", "1", "a: b", "", "x\n\n\n", "\ttab\n"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
PLACES = st.sampled_from([(*A, key) for key in ("image", "args", "env", "config", "probes", "replicas", "new")])


@given(PLACES | st.sampled_from([(*B, "args"), (*B, "new"), (*A, "env", "B"), (*A, "config", "f.yaml")]), VALUES)
def test_the_file_says_the_value_and_everything_else_as_before(parts, value):
    wanted = plain(composed(TEXT, "").root)
    here = wanted
    for part in parts[:-1]:
        here = here[part]
    here[parts[-1]] = value
    try:
        after = put(parts, value)
    except StackError:
        return  # refused, and nothing was written
    assert plain(composed(after, "").root) == wanted
    assert after.startswith("# top\n")


@given(PLACES, st.text("abc \n", max_size=8) | st.lists(st.text("abc", max_size=3), max_size=3))
def test_plain_texts_and_lists_are_never_refused(parts, value):
    assert put(parts, value)

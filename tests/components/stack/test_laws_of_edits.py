"""Whatever stands in a file, a value that is changed or added is the only one."""

from __future__ import annotations

import json

import yaml
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from components.model.mistakes import StackError
from components.stack.edits import with_entry, with_value
from components.stack.nodes import plain
from components.stack.reading import composed

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
NAMES = st.sampled_from(["a", "b", "image", "a.b", "5", "on", "x y"])
LEAVES = TEXTS | st.integers(-99, 99) | st.booleans() | st.none()
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)


def paths(value, above=()):
    """Every path of maps that ends at a scalar."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from paths(inner, (*above, key))
        elif not isinstance(inner, list):
            yield (*above, key)


class Shared(yaml.SafeDumper):
    """Anchors wherever the same object comes twice."""


DUMPED = st.builds(
    lambda tree, flow, width, style, indent: yaml.dump(
        tree,
        Dumper=Shared,
        default_flow_style=flow,
        width=width,
        default_style=style,
        allow_unicode=True,
        indent=indent,
    ),
    st.dictionaries(NAMES, TREES, min_size=1, max_size=3).flatmap(
        lambda tree: st.just({**tree, "shared": next(iter(tree.values()))}) | st.just(tree)
    ),
    st.sampled_from([True, False, None]),
    st.sampled_from([10, 80]),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.sampled_from([2, 4]),
)


@settings(max_examples=400, deadline=None)
@given(DUMPED, TEXTS, st.integers(0, 50), st.booleans())
def test_a_changed_value_is_the_only_one(text, new, which, crlf):
    text = text.replace("\n", "\r\n") if crlf else text
    try:
        before = composed(text, "f")
    except StackError:
        reject()
    said = plain(before.root)
    known = list(paths(said))
    assume(known)
    path = known[which % len(known)]
    try:
        after = with_value(before, path, new)
    except StackError as error:
        assert str(error).startswith("f:")  # noqa: PT017 - either is right
        return
    expected = plain(before.root)
    here = expected
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = new
    assert json.dumps(plain(composed(after, "f").root)) == json.dumps(expected)
    node = before.root
    for part in path:
        node = node.entries[part].node
    assert after.startswith(text[: node.start])
    assert after.endswith(text[node.end :])


@settings(max_examples=400, deadline=None)
@given(DUMPED, TEXTS, TEXTS, st.booleans())
def test_an_added_value_is_the_only_one(text, key, new, crlf):
    text = text.replace("\n", "\r\n") if crlf else text
    try:
        before = composed(text, "f")
    except StackError:
        reject()
    said = plain(before.root)
    assume(key not in said)
    try:
        after = with_entry(before, (key,), {"x": new})
    except StackError as error:
        assert str(error).startswith("f:")  # noqa: PT017 - either is right
        return
    assert json.dumps(plain(composed(after, "f").root), sort_keys=True) == json.dumps(
        {**said, key: {"x": new}}, sort_keys=True
    )
    same = next((at for at, (one, other) in enumerate(zip(text, after, strict=False)) if one != other), len(text))
    assert after.endswith(text[same:])

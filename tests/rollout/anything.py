"""What others may write: any JSON, and documents that are right but for a few places."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

odd_numbers = st.sampled_from([0, -1, 1, 2**31, 2**53 + 1, 10**400, 1e308, -1e308, float("inf"), float("nan"), -0.0])
odd_texts = st.sampled_from(
    [
        "",
        " ",
        "x" * 300,
        "a\nb",
        "\x1b[2J",
        "\x00",
        "\ud800",
        "1e999",
        "-5",
        "25%",
        "1m",
        "true",
        "../..",
        "@host",
        "(a+)+$",
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | odd_numbers | odd_texts
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
"""Any JSON value."""


def paths(node: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document."""
    found = [so_far] if so_far else []
    inside = node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ())
    for key, value in inside:
        found += paths(value, (*so_far, key))
    return found


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> Any:
    """The document with one to three places of it replaced by anything, or gone."""
    made = deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = paths(made)
        if not places:
            break
        *above, last = draw(st.sampled_from(places))
        node = made
        for key in above:
            node = node[key]
        if draw(st.integers(0, 4)) == 0:
            del node[last]
        else:
            node[last] = draw(anything)
    return made

"""Reading PromQL in tests: which series an expression selects, and by which labels."""

from __future__ import annotations

import promql_parser

_INSIDE = ("lhs", "rhs", "expr", "param", "vector_selector")


def selected(text: str) -> list[tuple[str, dict[str, str]]]:
    """Name and equality matchers of each selector in an expression.

    Raises:
        ValueError: it is no PromQL.
    """
    return _selected(promql_parser.parse(text))


def _selected(node) -> list[tuple[str, dict[str, str]]]:
    if isinstance(node, promql_parser.VectorSelector):
        assert not node.matchers.or_matchers
        equal = [each for each in node.matchers.matchers if each.op == promql_parser.MatchOp.Equal]
        return [(node.name, {each.name: each.value for each in equal})]
    inside = [getattr(node, name, None) for name in _INSIDE] + list(getattr(node, "args", None) or [])
    return [found for each in inside if each is not None for found in _selected(each)]

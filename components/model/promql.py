"""Expressions of PromQL in a stack file: what Prometheus would refuse, or answer with what nobody can use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from components.model.mistakes import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

FILLED = {"namespace": "1x", "pods": "x-[0-9a-f]{8}-.*"}
"""What the engine puts into the expression of a signal, such that it can only stand within a text."""

_NAME = re.compile(r"\$(?:([A-Za-z_]\w*)|\{(\w+)\})")
_KEEPS_LABELS = {"topk", "bottomk", "limitk", "limit_ratio"}
_WAY_OUT = "try it in Prometheus, and write what it takes"


def check_promql(text: str, filled: Mapping[str, str] | None = None) -> None:
    """Nothing, if Prometheus would take the expression and give a value for each series.

    ``filled`` are the names that are put in where ``$name`` stands.

    Raises:
        ValueError: what its grammar or its types say against it.
    """
    known = filled or {}
    for found in _NAME.finditer(text):
        name = found[1] or found[2]
        if name not in known and "label_replace" not in text:
            fix = nearest(name, list(known)) if known else "write the value itself"
            raise ValueError(f"has ${name} in it, which nothing fills in; {fix}")
    written = _NAME.sub(lambda found: known.get(found[1] or found[2], found[0]), text)
    _parsed(written)
    try:
        _parsed(f"sum({written}\n)")
    except ValueError as error:
        gives = str(error).partition(", got ")[2].partition(";")[0] or "something else"
        raise ValueError(f"gives a {gives}, not a value for each series; write it like rate(x_total[1m])") from None


def check_by_pod(text: str) -> None:
    """Nothing, if the result may have the label ``pod``.

    Raises:
        ValueError: it is summed up without.
    """
    top = _parsed(_NAME.sub("x", text))
    while type(top).__name__ == "ParenExpr":
        top = top.expr
    if type(top).__name__ != "AggregateExpr" or str(top.op) in _KEEPS_LABELS:
        return
    labels = set(top.modifier.labels) if top.modifier else set()
    by = top.modifier is None or "by" in str(top.modifier.type).lower()
    if ("pod" in labels) is not by:
        raise ValueError(f"its result has no label pod; write {top.op} by (pod) (…)")


def _parsed(text: str) -> Any:
    import promql_parser

    try:
        return promql_parser.parse(text)
    except ValueError as error:
        raise ValueError(f"is no PromQL: {' '.join(str(error).split())}; {_WAY_OUT}") from None

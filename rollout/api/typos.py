"""Mistakes in a pod template that an API server would not take, told without one: names and kinds of its fields.

What is known of them is what the Kubernetes client knows, which is as new as the newest Kubernetes that we are tested
with: a field that is newer than that can only be judged by the cluster.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from rollout.api.pod_template import without_nulls

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_TOLD = 20
_MODEL = re.compile(r"(?:Core)?V1\w+")
_LIST = re.compile(r"List\[(.+)\]")
_MAP = re.compile(r"Dict\[str, (.+)\]")
_QUANTITIES = {"limits", "requests", "overhead", "size_limit", "divisor"}
"""Texts that may be written as numbers."""
_PLAIN: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a text (in quotes)"),
    "int": ((int,), "a whole number"),
    "bool": ((bool,), "true or false"),
}


def mistakes_in(template: dict[str, Any]) -> list[str]:
    """What is wrong with a PodTemplateSpec, a sentence each, with its place."""
    found = _in_model(without_nulls(template), "V1PodTemplateSpec", "spec.workload.template")
    return [each for _, each in zip(range(MOST_TOLD), found, strict=False)]


def _in_model(value: Any, model: str, place: str) -> Iterator[str]:
    from kubernetes import client

    if not isinstance(value, dict):
        yield f"{place}: {_shown(value)} is no map"
        return
    known = getattr(client, model)
    fields = {wire: name for name, wire in known.attribute_map.items()}
    for key, each in value.items():
        where = f"{place}.{key}"
        if key in fields:
            yield from _in_field(each, known.openapi_types[fields[key]], where, quantity=fields[key] in _QUANTITIES)
            continue
        near = get_close_matches(str(key), fields, n=1)
        yield f"{where}: Kubernetes has no such field" + (f"; did you mean {near[0]}?" if near else "")


def _in_field(value: Any, kind: str, place: str, *, quantity: bool = False) -> Iterator[str]:
    if _MODEL.fullmatch(kind):
        yield from _in_model(value, kind, place)
    elif items := _LIST.fullmatch(kind):
        if not isinstance(value, list):
            yield f"{place}: {_shown(value)} is no list"
            return
        for index, each in enumerate(value):
            yield from _in_field(each, items[1], f"{place}[{index}]")
    elif values := _MAP.fullmatch(kind):
        if not isinstance(value, dict):
            yield f"{place}: {_shown(value)} is no map"
            return
        for key, each in value.items():
            yield from _in_field(each, values[1], f"{place}.{key}", quantity=quantity)
    elif kind in _PLAIN and not _is_plain(value, kind, quantity=quantity):
        yield f"{place}: {_shown(value)} is not {_PLAIN[kind][1]}"


def _is_plain(value: Any, kind: str, *, quantity: bool) -> bool:
    if quantity and isinstance(value, int | float) and not isinstance(value, bool):
        return True
    return isinstance(value, _PLAIN[kind][0]) and (kind == "bool" or not isinstance(value, bool))


def _shown(value: Any) -> str:
    return repr(value)[:60]

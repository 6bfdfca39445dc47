"""What is wrong with the objects of a stack whose file is right: two of one name, below the baseline, too large."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components.model.component import PART
from components.model.layers import identity
from components.model.mistakes import Mistake
from components.workloads.policy_rules import broken_rules

if TYPE_CHECKING:
    from components.model.component import Component
    from kube.kinds import Manifest

_MOST_BYTES = 1_400_000
"""Of an object as JSON: etcd takes 1.5 MiB, and notes who wrote which field beside it."""


def wrong(rendered: list[tuple[Component, Manifest]]) -> list[Mistake]:
    """Every mistake, said of the component that yields the object."""
    return [*_twice(rendered), *_below_baseline(rendered), *_too_large(rendered)]


def _twice(rendered: list[tuple[Component, Manifest]]) -> list[Mistake]:
    owners: dict[tuple[str, str, str, str], str] = {}
    found: dict[tuple[str, str], Mistake] = {}
    for component, manifest in rendered:
        key = identity(manifest)
        if key in owners:
            problem = f"{manifest['kind']} {key[3]!r} is declared by {owners[key]!r} too"
            pair = (owners[key], component.name)  # what collides beside it, goes with the same name
            found.setdefault(pair, Mistake(component.place, "", problem, "rename one of the two"))
        owners[key] = component.name
    return list(found.values())


def _too_large(rendered: list[tuple[Component, Manifest]]) -> list[Mistake]:
    """What the API server would refuse for its size alone."""
    found = []
    for component, manifest in rendered:
        size = len(json.dumps(manifest, ensure_ascii=False).encode())
        if size > _MOST_BYTES:
            what = f"{manifest['kind']} {manifest['metadata']['name']!r}"
            problem = f"{what} would be {size} bytes, and the cluster takes {_MOST_BYTES} for one object"
            found.append(Mistake(component.place, "", problem, "make its texts shorter"))
    return found


def _below_baseline(rendered: list[tuple[Component, Manifest]]) -> list[Mistake]:
    found = []
    for component, manifest in rendered:
        name = manifest["metadata"]["name"]
        part = (manifest["metadata"].get("labels") or {}).get(PART, "")
        excused = {deviation.rule for deviation in component.deviations if deviation.workload == part}
        found += [
            Mistake(component.place, "", f"{manifest['kind']} {name!r} breaks the baseline rule {rule}: {said}")
            for rule, said in broken_rules(manifest)
            if rule not in excused
        ]
    return found

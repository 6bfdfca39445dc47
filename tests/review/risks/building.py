"""Previews as Pulumi writes them, of objects before and after that a test gives as plain manifests."""

from __future__ import annotations

import copy
import datetime as dt
from pathlib import Path

import yaml

from review.reading.pulumi import read_pulumi
from review.reading.source import Document, read_document
from review.risks.find import risks_of

HERE = Path(__file__).parent
TODAY = dt.date(2026, 11, 28)
BASES = yaml.safe_load((HERE / "bases.yaml").read_text())


def load(name):
    return yaml.safe_load((HERE / f"{name}.yaml").read_text())


def put(manifest, sets):
    """A copy with values at paths of words; null takes a key away, a number names an item of a list."""
    made = copy.deepcopy(manifest)
    for path, value in sets.items():
        *way, last = [int(word) if word.isdigit() else word for word in path.split()]
        inner = made
        for key in way:
            inner = inner.setdefault(key, {}) if isinstance(inner, dict) else inner[key]
        if value is None:
            inner.pop(last, None)
        elif isinstance(inner, list) and last == len(inner):
            inner.append(value)
        else:
            inner[last] = value
    return made


def sides(case):
    """Before and after of one line of a table."""
    base = BASES[case["of"]]
    before = put(base, case.get("from", {}))
    after = put(before, case.get("to", {}))
    return {"create": (None, after), "import": (None, after), "delete": (before, None)}.get(
        case.get("op"), (before, after)
    )


def step(before, after, op="", reasons=(), *, called="", live=None, differs=(), **marks):
    some = after or before
    kind, meta = some["kind"], some["metadata"]
    place = f"{meta.get('namespace', '')}/{meta['name']}".lstrip("/")
    version = some["apiVersion"] if "/" in some["apiVersion"] else f"core/{some['apiVersion']}"
    made = {
        "op": op or ("create" if before is None else "delete" if after is None else "update"),
        "urn": f"urn:pulumi:h5::grayling::kubernetes:{version}:{kind}::{called or place}",
        "replaceReasons": list(reasons),
        "detailedDiff": {
            **{reason: {"kind": "update-replace"} for reason in reasons},
            **{path: {"kind": "update"} for path in differs},
        },
    }
    for key, side in (("oldState", before), ("newState", after)):
        if side is not None:
            outputs = put(side, live or {}) if key == "oldState" else side
            made[key] = {"type": f"kubernetes:{version}:{kind}", "custom": True, "inputs": side, "outputs": outputs}
            made[key] |= marks
    return made


def preview(steps):
    summary = {}
    for each in steps:
        summary[each["op"]] = summary.get(each["op"], 0) + 1
    return {"config": {}, "steps": steps, "diagnostics": [], "changeSummary": summary}


def change_set(*steps):
    return read_pulumi(Document("preview.json", preview(list(steps)), lines=False, sha256=""))


def steps_of(case):
    marks = {name: case[key] for key, name in (("protect", "protect"), ("retain", "retainOnDelete")) if key in case}
    more = {key: case[key] for key in ("called", "live", "differs") if key in case}
    return step(*sides(case), case.get("op", ""), case.get("reasons", ()), **more, **marks)


def changes_of(case):
    return change_set(steps_of(case), *map(steps_of, case.get("beside", ())))


def real(name):
    return read_pulumi(read_document(str(HERE / "previews" / f"{name}.json.gz")))


def found(changes, waivers=(), **more):
    return risks_of(changes, waivers=waivers, today=TODAY, **more)

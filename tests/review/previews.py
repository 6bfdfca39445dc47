"""Previews as Pulumi writes them, made for tests: steps of Kubernetes objects and of others."""

from __future__ import annotations

import json
from pathlib import Path

from review.model.report import Report
from review.reading.pulumi import read_pulumi
from review.reading.source import read_document
from review.reports.making import document_of

RECORDED = Path(__file__).parents[1] / "data" / "previews"
STACK, PROJECT = "prod", "shop"
CREATED = "2026-11-28T18:00:00+00:00"


def urn(kind: str, name: str, *, stack: str = STACK, parents: str = "") -> str:
    return f"urn:pulumi:{stack}::{PROJECT}::{parents}{kind}::{name}"


def manifest(kind: str, name: str, *, version: str = "v1", namespace: str = "shop", **fields) -> dict:
    meta = {"name": name, "namespace": namespace, **fields.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **fields}


def state(inputs: dict, *, outputs: dict | None = None, **more) -> dict:
    return {"type": "x", "custom": True, "inputs": inputs, "outputs": inputs if outputs is None else outputs, **more}


def step(op: str, before: dict | None = None, after: dict | None = None, **more) -> dict:
    """A step of an object; ``old`` and ``new`` give more of its states."""
    shown = after or before
    old, new = more.pop("old", {}), more.pop("new", {})
    kind = f"kubernetes:{shown['apiVersion']}:{shown['kind']}"
    made = {"op": op, "urn": urn(kind, f"{shown['metadata'].get('namespace', '')}/{shown['metadata']['name']}"), **more}
    if before is not None:
        made["oldState"] = state(before, **old)
    if after is not None:
        made["newState"] = state(after, **new)
    return made


def preview(*steps: dict, **more) -> dict:
    """A whole preview; its summary counts the steps unless it says another."""
    counts: dict[str, int] = {}
    for each in steps:
        counts[each["op"]] = counts.get(each["op"], 0) + 1
    return {"steps": list(steps), "diagnostics": [], "changeSummary": counts, **more}


def written(folder: Path, data, name: str = "preview.json") -> Path:
    path = folder / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def read(folder: Path, data):
    return read_pulumi(read_document(str(written(folder, data))))


def reviewed(changes, risks=(), **more):
    return document_of(Report(changes, tuple(risks), created=CREATED), **more)


def fatal(changes) -> list[str]:
    return [doubt.id for doubt in changes.doubts if doubt.fatal]


def ops(changes) -> dict[str, int]:
    return {op: count for op, count in changes.counts().items() if count}

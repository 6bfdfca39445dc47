"""Previews with odd values anywhere are refused in words or told in every form; nothing breaks."""

from __future__ import annotations

import copy
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kube.errors import UsageError
from review.reading.pulumi import read_pulumi
from review.reading.source import Document
from review.reports.forms import writers
from tests.review.previews import RECORDED, reviewed

BASES = {
    name: json.loads(gzip.decompress((RECORDED / f"{name}.json.gz").read_bytes()))
    for name in (
        "update-grayrelease-image",
        "replace-statefulset-storage",
        "import-with-differences",
        "secret-change",
        "update-service-type",
        "drift-refresh",
        "save-plan-update.plan",
    )
}
ODD = st.sampled_from(
    [None, True, 0, -1, 1e300, 2.0, "", "\ud800", "a\x00b", [], {}, [None], [[]], {"": None}, ["x", 1]]
)


def paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from paths(inner, (*path, place))


PLACES = {name: [path for path in paths(base) if path] for name, base in BASES.items()}


def with_odd(name: str, path: tuple, odd):
    made = copy.deepcopy(BASES[name])
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return made


@settings(max_examples=100)
@given(st.data())
def test_an_odd_value_anywhere(data):
    name = data.draw(st.sampled_from(sorted(BASES)))
    made = with_odd(name, data.draw(st.sampled_from(PLACES[name])), data.draw(ODD))
    try:
        changes = read_pulumi(Document("preview.json", made, lines=False, sha256="0"))
    except UsageError as error:
        assert str(error).startswith("preview.json: ")  # noqa: PT017 - most are no error
        return
    for write in writers(reviewed(changes), limit=64_000, width=80).values():
        write().encode()


@pytest.mark.parametrize("name", sorted(BASES))
@pytest.mark.parametrize("key", ["metadata", "spec", "kind", "apiVersion", "data"])
@pytest.mark.parametrize(
    "odd", [None, [], "x", 3, {"labels": [], "name": 5}, {"annotations": {"a": [1]}, "name": ["x"]}]
)
def test_an_odd_top_of_an_object(name, key, odd):
    made = copy.deepcopy(BASES[name])
    for step in made.get("steps", ()):
        for side in ("oldState", "newState"):
            if step.get(side):
                step[side]["inputs"] = {**(step[side].get("inputs") or {}), key: odd}
                step[side]["outputs"] = {**(step[side].get("outputs") or {}), key: odd}
    changes = read_pulumi(Document("preview.json", made, lines=False, sha256="0"))
    for write in writers(reviewed(changes), limit=64_000, width=80).values():
        write().encode()

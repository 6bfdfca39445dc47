"""Lines of a recording: what is a look, and since when its pods were observed."""

from __future__ import annotations

import json

from rollout.records.recording import FORMAT, parse

PODS = {"a": {"arm": "stable", "requests": 9}}


def read(*lines):
    header = json.dumps({"format": FORMAT, "interval_seconds": 15})
    return parse([header, *map(json.dumps, lines)]).looks


def exposures(*lines):
    return [look.pods["a"].exposure_seconds for look in read(*lines) if look.pods]


def test_a_line_that_tells_a_step_or_a_share_is_no_look():
    first, second = {"t": 10, "pods": PODS}, {"t": 20, "pods": PODS}
    assert exposures(first, second) == [15.0, 10.0]
    for told in ({"step": 1, "share": 0.2}, {"share": 0.0}, {"step": 2}):
        assert exposures(first, {"t": 18, "pods": {}, **told}, second) == [15.0, 10.0], told
        assert exposures({"t": 1, "pods": {}, **told}, second) == [15.0], "there was none before"


def test_a_look_without_pods_is_one():
    assert exposures({"t": 10, "pods": PODS}, {"t": 18, "pods": {}}, {"t": 20, "pods": PODS}) == [15.0, 2.0]


def test_a_step_that_comes_with_its_look_is_one():
    begun = {"t": 18, "step": 1, "share": 0.2, "pods": PODS}
    assert exposures({"t": 10, "pods": PODS}, begun, {"t": 20, "pods": PODS}) == [15.0, 8.0, 2.0]

"""Recordings that no release can have written: each is refused with its line and with what is wrong."""

import json

import pytest

from rollout.records import fields
from rollout.records.recording import RecordingError, header_line, look_line, parse

HEADER = header_line(15.0, (0.1, 1.0), 0.1)
POD = {"arm": "stable", "requests": 10, "errors": {"5xx": 1}, "latency_counts": [9, 1, 0], "gauges": {"cpu": 0.5}}


def look(t=1.0, **changed):
    return json.dumps({"t": t, "phase": "release", "pods": {"p": {**POD, **changed}}})


def test_a_sound_look_is_read():
    assert parse([HEADER, look()]).looks[0].pods["p"].errors == {"5xx": 1}


def test_where_a_pod_runs_is_read_and_written_and_may_be_left_out():
    here, nowhere = parse([HEADER, look(node="node-7", zone="eu-1a"), look()]).looks
    assert (here.pods["p"].node, here.pods["p"].zone) == ("node-7", "eu-1a")
    assert (nowhere.pods["p"].node, nowhere.pods["p"].zone) == ("", "")
    assert parse([HEADER, look_line(here), look_line(nowhere)]).looks == (here, nowhere)
    assert "node" not in look_line(nowhere)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (look(t=float("inf")), "t is Infinity, expected a number"),
        (look(t=float("nan")), "t is NaN, expected a number"),
        (look(t="soon"), 't is "soon", expected a number'),
        (look(requests=1e308), "pods.p.requests is 1e[+]308, expected a number"),
        (look(requests=2.5), "pods.p.requests is 2.5, expected a whole number"),
        (look(requests=True), "pods.p.requests is true, expected a number"),
        (look(errors={"5xx": -7}), "pods.p.errors.5xx is -7, expected a number"),
        (look(errors={"5xx": 8, "cut": 3}), "pods.p.errors are 11 in all, requests 10"),
        (look(requests=0), "pods.p.errors are 1 in all, requests 0"),
        (look(errors=[1]), r"pods.p.errors is \[1\], expected an object"),
        (look(latency_counts={"0.1": 3}), "pods.p.latency_counts is .*, expected a list"),
        (look(latency_counts=[1, -1]), r"pods.p.latency_counts\[1\] is -1"),
        (look(latency_counts=[9, 10, 10]), "latency_counts are 29 in all, requests 10; each request is in one bucket"),
        (look(latency_counts=[1] * (fields.MOST_ENTRIES + 1)), "latency_counts has 20,001 entries"),
        (look(gauges={"cpu": 1e300}), "pods.p.gauges.cpu is 1e[+]300"),
        (look(age_seconds=-1), "pods.p.age_seconds is -1"),
        (look(node=3), "pods.p.node is 3, expected a text of one line"),
        (look(zone=["a"]), r"pods.p.zone is .*, expected a text of one line"),
        (
            look(zone="a b"),
            'pods.p.zone is "a b", expected a name of at most 253 characters without spaces; correct it',
        ),
        (look(node="n" * 254), "pods.p.node is .*, expected a name of at most 253 characters"),
        (look(arm="left"), 'pods.p.arm is "left", expected stable or canary'),
        ('{"t": 1, "pods": {"p": {"requests": 3}}}', "pods.p.arm is missing, expected stable or canary"),
        ('{"t": 1, "pods": {"p": 3}}', "pods.p is 3, expected an object"),
        ('{"t": 1, "pods": []}', r"pods is \[\], expected an object"),
        ('{"t": 1, "phase": "release"}', "no pods; a look needs t and pods"),
        ('{"t": 1, "t": 2, "pods": {}}', 'the key "t" stands there twice, as'),
        ('{"t": 1, "pods": {"p": {}, "p": {}}}', 'the key "p" stands there twice, as'),
        ('{"t": 1, "pods": {"\\u001b[2J": {}}}', "expected a text of one line"),
        ('{"t": 1, "pods": {}, "signal": "a\\nb"}', "signal is .*, expected a text of one line"),
        ('{"t": 1, "pods": {}, "edges_seconds": [1, 1]}', r"edges_seconds\[1\] is 1 after 1"),
        ('{"t": 1, "pods": {}, "share": 2}', "share is 2, expected a number from 0 to 1"),
        ('{"t": ' + "[" * 100_000, "nested too deep"),
        ('{"t": ' + "1" * 5_000 + ', "pods": {}}', "t is Infinity, expected a number"),
        ("[]", r"it is \[\], expected an object"),
    ],
)
def test_a_look_that_none_can_have_been(line, reason):
    with pytest.raises(RecordingError, match=f"^line 2: .*{reason}|^{reason}"):
        parse([HEADER, line])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"latency_edges_seconds": [1, 0.1]}, r"latency_edges_seconds\[1\] is 0.1 after 1, expected edges that ascend"),
        ({"latency_edges_seconds": [0.1, float("nan")]}, r"latency_edges_seconds\[1\] is NaN"),
        ({"latency_edges_seconds": [-1, 1]}, r"latency_edges_seconds\[0\] is -1, expected a number from 0 to"),
        ({"canary_share": 2}, "canary_share is 2, expected a number from 0 to 1"),
        ({"interval_seconds": -1}, "interval_seconds is -1"),
        ({"interval_seconds": 0}, "interval_seconds is 0, expected a number from 0.001 to"),
        ({"analysis": "abc"}, 'analysis is "abc", expected an object'),
        ({"format": ["x" * 1000]}, "format is "),
    ],
)
def test_a_header_that_is_none(changed, reason):
    with pytest.raises(RecordingError, match=f"^line 1: {reason}") as told:
        parse([json.dumps({**json.loads(HEADER), **changed})])
    assert len(str(told.value)) < 300


def test_one_signal_may_have_more_in_its_buckets_than_requests():
    of_latency = {**json.loads(look(latency_counts=[9, 10, 10])), "signal": "latency"}
    assert len(parse([HEADER, json.dumps(of_latency)]).looks) == 1


def test_keys_that_nobody_knows_are_counted_with_what_they_may_mean():
    header = json.dumps({**json.loads(HEADER), "canary_shar": 0.5})
    odd = json.dumps({**json.loads(look(requets=3, colour=1)), "fase": "history"})
    found = parse([header, look(), odd, odd])
    named = {'"canary_shar" (did you mean canary_share?)': 1, '"requets" (did you mean requests?)': 2}
    assert found.strangers == named | {'"colour"': 2, '"fase" (did you mean phase?)': 2}
    assert found.canary_share == 0.1


def test_time_goes_on_for_each_signal_by_itself():
    at = [json.dumps({"t": t, "signal": signal, "pods": {}}) for t, signal in ((5, "a"), (3, "b"), (5, "a"))]
    assert len(parse([HEADER, *at]).looks) == 3
    with pytest.raises(RecordingError, match=r"^line 5: t is 4, before 5 "):
        parse([HEADER, *at, json.dumps({"t": 4, "signal": "a", "pods": {}})])


def test_a_line_has_a_bound(monkeypatch):
    monkeypatch.setattr(fields, "MOST_CHARACTERS", 100)
    with pytest.raises(ValueError, match="it has 102 characters, at most 100 are read"):
        fields.object_of('"' + "x" * 100 + '"')

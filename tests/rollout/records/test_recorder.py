"""Recordings of live releases: everything the judge was shown, and never too large."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollout.records.recorder import (
    KEY,
    Recorder,
    config_map_name,
    config_map_of,
    lines_in,
)
from rollout.records.recording import BEFORE, FORMAT, parse
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from tests.rollout import samples

EDGES = (0.1, 1.0)


def look(at: float, signal: str = "errors", status: SourceStatus = SourceStatus.OK, requests: int = 20) -> SignalLook:
    latency = signal == "latency"
    pods = {
        name: PodLook(
            arm,
            age_seconds=at,
            exposure_seconds=1.0,
            requests=requests,
            errors={} if latency else {"500": 1},
            latency_counts=(requests, 0, 0) if latency else (),
            crashes=1 if signal == "crashes" else 0,
        )
        for name, arm in (("s", Arm.STABLE), ("c", Arm.CANARY))
    }
    return SignalLook(signal, at, status, pods, EDGES if latency else ())


def told(recorder: Recorder, owner: Any = None) -> str:
    return lines_in(config_map_of("checkout", "shop", "k3x9", recorder.finished(), owner or {"uid": "u"}))


def test_everything_that_was_shown_comes_back():
    recorder = Recorder(samples.spec())
    starts = [replace(look(at), starts=True) for at in (0.5, 0.2)]
    recorder.note("history", [*starts, look(1.0), look(1.5, signal="latency")])
    recorder.step(2.0, 2, 0.2)
    recorder.note("release", [look(2.5), look(2.6, status=SourceStatus.SOURCE_DOWN), look(2.7, signal="crashes")])
    found = parse(told(recorder).splitlines())
    assert [(each.at, each.phase, each.signal, each.step) for each in found.looks] == [
        (1.0, "history", "errors", 0),
        (1.5, "history", "latency", 0),
        (0.2, "starts", "errors", 0),
        (0.5, "starts", "errors", 0),
        (2.0, "release", "", 2),
        (2.5, "release", "errors", 0),
        (2.7, "release", "crashes", 0),
    ]
    assert found.looks[0].pods == look(1.0).pods
    assert found.looks[1].edges_seconds == EDGES
    assert found.canary_share == samples.spec().strategy.steps[0].weight / 100
    assert found.analysis["falseRollbackRate"] == samples.spec().analysis.false_rollback_rate


def test_it_may_be_read_while_it_grows():
    recorder = Recorder(samples.spec())
    recorder.note("release", [look(1.0)])
    first = told(recorder)
    recorder.note("release", [look(2.0)])
    assert told(recorder).startswith(first)
    assert len(told(recorder).splitlines()) == 3


def test_a_long_one_gets_coarser_and_loses_no_count():
    recorder = Recorder(samples.spec(), room=60_000)
    for number in range(12_000):
        recorder.note("release", [look(float(number) * 1.37, requests=20 + number * 7919 % 13)])
    finished = recorder.finished()
    assert len(finished) <= 60_000
    assert recorder.together > 1
    found = parse(told(recorder).splitlines()).looks
    assert len(found) < 12_000
    assert sum(each.pods["c"].errors["500"] for each in found) == 12_000
    assert sum(each.pods["c"].requests for each in found) == sum(20 + number * 7919 % 13 for number in range(12_000))
    assert sum(each.pods["c"].exposure_seconds for each in found) == pytest.approx(12_000)


def test_looks_of_different_kinds_are_not_made_one():
    recorder = Recorder(samples.spec(), room=1)
    assert recorder.together > 1
    recorder.note("history", [look(1.0), look(1.0, signal="latency")])
    recorder.note("release", [look(2.0), look(3.0, signal="latency")])
    recorder.note("release", [look(4.0), look(5.0, signal="latency")])
    found = parse(told(recorder).splitlines()).looks
    assert [(each.phase, each.signal, each.at) for each in found] == [
        ("history", "errors", 1.0),
        ("history", "latency", 1.0),
        ("release", "errors", 4.0),
        ("release", "latency", 5.0),
    ]
    assert found[3].pods["s"].latency_counts == (40, 0, 0)


def test_a_successor_goes_on():
    first = Recorder(samples.spec())
    first.note("release", [look(1.0)])
    second = Recorder(samples.spec(), before=told(first))
    second.note("release", [look(2.0)])
    assert [each.at for each in parse(told(second).splitlines()).looks] == [1.0, 2.0]


def test_a_share_is_told_when_it_changes_and_no_oftener():
    first = Recorder(samples.spec())
    first.change_share(0.5, 0.0)
    first.step(1.0, 1, 0.2)
    first.change_share(1.5, 0.2)
    first.note("release", [look(2.0)])
    first.change_share(2.5, 0.0)
    second = Recorder(samples.spec(), before=told(first))
    second.change_share(3.0, 0.0)
    second.change_share(4.0, 0.5)
    assert [(each.at, each.step, each.share) for each in parse(told(second).splitlines()).looks] == [
        (1.0, 1, 0.2),
        (2.0, 0, None),
        (2.5, 0, 0.0),
        (4.0, 0, 0.5),
    ]


def test_a_successor_goes_on_with_what_an_older_engine_wrote():
    first = Recorder(samples.spec())
    first.step(1.0, 1, 0.2)
    older = told(first).replace(FORMAT, BEFORE)
    assert BEFORE in older
    second = Recorder(samples.spec(), before=older)
    second.change_share(3.0, 0.0)
    assert [each.share for each in parse(told(second).splitlines()).looks] == [0.2, 0.0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "has no key"),
        ({KEY: "###"}, "is damaged"),
        ({KEY: "bm9uc2Vuc2U="}, "is damaged"),
    ],
)
def test_a_config_map_that_is_none(data, reason):
    kept = {"metadata": {"name": config_map_name("checkout", "k3x9")}, "binaryData": data}
    with pytest.raises(ValueError, match=f"ConfigMap checkout-recording-k3x9.*{reason}"):
        lines_in(kept)


def test_what_a_clock_that_was_set_back_wrote_can_be_read():
    first = Recorder(samples.spec())
    first.step(99.0, 1, 0.1)
    first.note("release", [look(100.0)])
    second = Recorder(samples.spec(), before=told(first))
    second.step(39.0, 2, 0.2)
    second.note("release", [look(40.0), look(101.0)])
    assert [each.at for each in parse(told(second).splitlines()).looks] == [99.0, 100.0, 99.0, 100.0, 101.0]


def test_more_failures_than_answers_can_be_read():
    cut = look(1.0, requests=2)
    pods = {name: replace(pod, errors={"500": 1, "cut": 4}) for name, pod in cut.pods.items()}
    recorder = Recorder(samples.spec())
    recorder.note("release", [replace(cut, pods=pods)])
    assert parse(told(recorder).splitlines()).looks[0].pods["c"].requests == 5

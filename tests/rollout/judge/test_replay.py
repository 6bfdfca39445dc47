"""Recordings: read, written, refused with a reason, and judged again."""

import dataclasses
import json
from itertools import chain

import numpy as np
import pytest

from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy, Verdict
from rollout.judge.replay import policy_for, replay, replays
from rollout.records.recording import (
    BEFORE,
    FORMAT,
    RecordedLook,
    RecordingError,
    header_line,
    look_line,
    parse,
)
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from tests.rollout.judge.traffic import EDGES, ERRORS, histogram

HEADER = header_line(15.0, EDGES, 0.25)


def recording(canary_fails=0.002, crashes=0, release=40, every=15.0, *, young=False):
    rng = np.random.default_rng(7)
    lines = [HEADER]
    for number in range(-40, release):
        pods = {}
        for name in ("a", "b", "c", "canary")[: 3 if number < 0 else 4]:
            arm = Arm.CANARY if name == "canary" else Arm.STABLE
            failed = int(rng.binomial(300, canary_fails if arm is Arm.CANARY else 0.002))
            crashed = crashes if arm is Arm.CANARY and number in (5, 6) else 0
            errors = {"5xx": failed} if failed else {}
            age = every * (number + 1) if young and arm is Arm.CANARY else 900.0
            pods[name] = PodLook(arm, age, every, 300, errors, histogram(rng, 300), crashed, {"cpu": 0.5})
        lines.append(look_line(RecordedLook(every * (number + 1), "history" if number < 0 else "release", pods)))
    return lines


def test_what_is_written_is_read_back():
    lines = recording()
    read = parse([*lines, "", "  "])
    assert [header_line(read.interval_seconds, read.edges_seconds, read.canary_share)] == lines[:1]
    assert [look_line(look) for look in read.looks] == lines[1:]


def test_the_shortest_recording_gets_defaults():
    pods = {"p": {"arm": "stable", "requests": 3}}
    looks = [json.dumps({"t": t, "phase": "history", "pods": pods}) for t in (10, 40)]
    read = parse([json.dumps({"format": FORMAT}), *looks])
    assert [look.pods["p"].exposure_seconds for look in read.looks] == [15.0, 30.0]
    assert replay(read).verdict is Verdict.NO_TRAFFIC
    assert replay(read).at is None


def test_looks_at_starts_are_of_a_time_of_their_own():
    pods = {"p": {"arm": "stable", "requests": 3}}
    looks = [json.dumps({"t": t, "phase": phase, "pods": pods}) for t, phase in ((99, "history"), (7, "starts"))]
    last = json.dumps({"t": 109, "phase": "release", "pods": pods})
    read = parse([json.dumps({"format": FORMAT}), *looks, last])
    assert [look.pods["p"].exposure_seconds for look in read.looks] == [15.0, 15.0, 10.0]
    assert replay(read).looks == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "line 1"),
        (["{"], "line 1: not JSON"),
        (["[]"], "expected an object"),
        (['{"format": "other/1"}'], "other/1"),
        (['{"format": "grayling.recording/1", "interval_seconds": "soon"}'], "line 1"),
        ([HEADER, '{"pods": {}}'], "line 2"),
        ([HEADER, '{"t": 1, "phase": "later", "pods": {}}'], "later"),
        ([HEADER, '{"t": 1, "pods": {"p": {"arm": "left"}}}'], "line 2"),
    ],
)
def test_broken_recordings_are_refused_with_line_and_reason(lines, message):
    with pytest.raises(RecordingError, match=message):
        parse(lines)


def shared(canary, seconds, first=0):
    pods = {"a": PodLook(Arm.STABLE, 900.0, 1.0, 1000 - canary), "c": PodLook(Arm.CANARY, 900.0, 1.0, canary)}
    return [look_line(RecordedLook(float(first + at), "release", pods)) for at in range(1, seconds + 1)]


def test_a_recording_says_when_weights_change_and_old_ones_are_read_as_they_were():
    step = look_line(RecordedLook(0.0, "release", {}, step=1, share=0.2))
    left = look_line(RecordedLook(60.0, "release", {}, share=0.0))
    assert '"share":0.0' in left
    policy = JudgePolicy(signals=(ERRORS,))
    lines = [HEADER, step, *shared(200, 60), left, *shared(990, 60, 60)]
    found = replay(parse(lines), policy)
    assert (found.verdict, found.looks) == (Verdict.GOOD, 120), "the line itself is no look"
    untold = replay(parse([line for line in lines if line != left]), policy)
    assert "20.0% was asked for" in untold.reason
    old = [HEADER.replace(FORMAT, BEFORE), *lines[1:]]
    assert replay(parse(old), policy).reason == untold.reason, "version 1 had no share without a step"
    assert [look.share for look in parse(old).looks if look.share is not None] == [0.2]


def test_a_share_may_be_told_at_each_look():
    pods = {"a": {"arm": "stable", "requests": 800}, "c": {"arm": "canary", "requests": 200}}
    lines = [json.dumps({"t": at, "share": 0.4 if at < 5 else 0.2, "pods": pods}) for at in range(1, 60)]
    assert replay(parse([HEADER, *lines]), JudgePolicy(signals=(ERRORS,))).verdict is Verdict.GOOD
    lines = [json.dumps({"t": at, "share": 0.4, "pods": pods}) for at in range(1, 60)]
    assert "40.0% was asked for" in replay(parse([HEADER, *lines]), JudgePolicy(signals=(ERRORS,))).reason


def assert_alike(one, other):
    """Replays that say the same, but for the last digits of numbers that were summed up in another order."""
    for mine, its in zip(one.pop("signals"), other.pop("signals"), strict=True):
        assert mine == pytest.approx(its, abs=1e-9)
    assert list(one.pop("culprits")) == list(other.pop("culprits"))
    assert one == pytest.approx(other, abs=1e-9)


def test_recordings_side_by_side_are_judged_as_each_alone():
    lines = [recording(), recording(canary_fails=0.1), recording(crashes=2, release=20), recording(release=0), [HEADER]]
    stepped = '"t":15.0,"step":1,"share":0.25,'
    lines.append([line.replace('"t":15.0,', stepped) for line in recording(canary_fails=0.01)])
    lines.append([line for line in recording(canary_fails=0.004) if '"history"' not in line])
    lines.append(recording(canary_fails=0.006, every=5.0, young=True))
    recordings = [parse(each) for each in lines]
    policy = policy_for(recordings[0])
    strict = dataclasses.replace(policy, false_rollback_rate=1e-9)
    for under in ([policy] * len(lines), [policy, None, strict, None, None, policy, policy, strict]):
        together = replays(recordings, under)
        alone = [replay(each, its) for each, its in zip(recordings, under, strict=True)]
        assert len({each.verdict for each in together}) >= 3
        for one, other in zip(together, alone, strict=True):
            assert_alike(dataclasses.asdict(one), dataclasses.asdict(other))


def test_a_healthy_recording_is_good_and_a_faulty_one_bad():
    good, bad = replay(parse(recording())), replay(parse(recording(canary_fails=0.1)))
    assert (good.verdict, good.culprits, good.looks) == (Verdict.GOOD, (), 40)
    assert (bad.verdict, bad.culprits) == (Verdict.BAD, ("errors",))
    assert bad.onset_at <= bad.at <= 45.0
    assert bad.signals[0].ratio_low > 1.0
    json.dumps(dataclasses.asdict(bad), allow_nan=False)


def test_policies_follow_the_recording_or_the_caller():
    crashing = parse(recording(crashes=1))
    assert [signal.name for signal in policy_for(crashing).signals] == ["errors", "latency", "crashes", "cpu"]
    assert replay(crashing).culprits == ("crashes",)
    strict = replay(crashing, JudgePolicy(signals=(ERRORS,)), alpha=0.001)
    assert strict.verdict is Verdict.GOOD
    bare = parse([header_line(15.0, (), 0.1), *recording()[1:]])
    assert [signal.name for signal in policy_for(bare).signals] == ["errors", "cpu"]


def test_replay_says_what_the_live_judge_said():
    read = parse([HEADER, *recording(canary_fails=0.02)[41:]])
    judge = Judge(JudgePolicy(signals=(ERRORS,)))
    for look in read.looks:
        live = judge.look(look.at, [SignalLook("errors", look.at, SourceStatus.OK, look.pods)])
        if live.verdict is Verdict.BAD:
            break
    again = replay(read, JudgePolicy(signals=(ERRORS,)))
    assert (again.verdict, again.at, again.log_e) == (Verdict.BAD, judge.convicted_at, live.log_e)
    assert again.signals == judge.signals()


@pytest.mark.parametrize("canary_fails", [0.002, 0.02])
def test_lines_of_one_moment_are_judged_together(canary_fails):
    """A live release is recorded with a line for each signal; those of a moment were one look of its judge."""
    whole = parse(recording(canary_fails=canary_fails, crashes=1))
    policy = policy_for(whole)
    step = RecordedLook(0.5, "release", {}, step=1, share=0.25)
    together = [*whole.looks[:40], step, *whole.looks[40:]]
    names = [signal.name for signal in policy.signals]
    each = [[dataclasses.replace(look, signal=name) for name in names] if look.pods else [look] for look in together]
    apart = parse([HEADER, *map(look_line, chain.from_iterable(each))])
    assert replay(apart, policy) == replay(dataclasses.replace(whole, looks=tuple(together)), policy)


def gauges(names, phase="release", first=1, **more):
    pods = {name: {"arm": arm, "age_seconds": 900, "gauges": dict.fromkeys(names, 5.0)} for name, arm in ARMS.items()}
    return [json.dumps({"t": 15 * at, "phase": phase, "pods": pods, **more}) for at in range(first, first + 5)]


ARMS = {"a": "stable", "b": "stable", "c": "canary"}


def test_what_shows_gauges_alone_is_judged_by_those():
    read = parse([HEADER, *gauges(["memory_bytes", "cpu", ""])])
    assert [(each.name, each.kind) for each in policy_for(read).signals] == [
        ("cpu", "gauge"),
        ("memory_bytes", "gauge"),
    ]
    assert replay(read).verdict is Verdict.UNDECIDED


def test_names_that_stand_there_twice_are_one_signal():
    pods = {"a": {"arm": "stable", "requests": 3, "crashes": 1, "gauges": {"latency": 1.0, "errors": 2.0}}}
    lines = [
        json.dumps({"t": t, "signal": signal, "pods": pods}) for t in (1, 2) for signal in ("errors", "crashes", "")
    ]
    names = [each.name for each in policy_for(parse([HEADER, *lines])).signals]
    assert sorted(names) == ["crashes", "errors", "latency"]


def test_a_gauge_is_found_by_its_metric_and_told_where_it_is_not():
    read = parse([HEADER, *gauges(["process:rss.bytes"])])
    named = SignalPolicy("memory", SignalKind.GAUGE, metric="process:rss.bytes")
    found = replay(read, JudgePolicy(signals=(named,)))
    assert (found.signals[0].canary_rate is not None, found.remarks) == (True, "")
    lost = replay(read, JudgePolicy(signals=(dataclasses.replace(named, metric="rss"),)))
    assert lost.verdict is Verdict.NO_DATA
    assert "signal memory: the recording has process:rss.bytes; name one of them" in lost.remarks


def test_late_lines_are_counted_and_told_and_change_nothing():
    lines = recording()
    again = [*lines[:-1], lines[-2], lines[-1].replace('"phase"', '"signal":"errors","phase"'), lines[-1]]
    late, plain = replay(parse(again)), replay(parse(lines))
    assert (late.late_lines, plain.late_lines) == (1, 0), "the last line is new to latency"
    assert "1 line late" in late.remarks
    later = replay(
        parse([*lines, lines[-1].replace('"phase"', '"signal":"errors","phase"').replace('"t":600.0', '"t":15.0')])
    )
    assert later.late_lines == 1
    assert later.log_e == plain.log_e


def test_a_line_that_tells_a_share_is_not_what_makes_a_look_late():
    step = json.dumps({"t": 15, "step": 1, "share": 0.1, "pods": {}})
    assert replay(parse([HEADER, step, *gauges(["cpu"])])).late_lines == 0


def test_other_buckets_than_the_edges_make_are_left_out_and_told():
    pods = {name: {"arm": arm, "requests": 3, "latency_counts": [1, 2]} for name, arm in ARMS.items()}
    found = replay(parse([HEADER, json.dumps({"t": 1, "pods": pods})]))
    assert "1 line with latency_counts that are not one more than the edges" in found.remarks

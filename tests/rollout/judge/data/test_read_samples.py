"""Looks of all signals are read in one pass: each must come out as if it had been read alone, pod by pod."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.judge import JudgePolicy, SignalKind, SignalPolicy
from rollout.judge.data.ages import AGES, YOUNG_SECONDS, age_bin
from rollout.judge.data.batch import Batch
from rollout.judge.data.columns import Columns
from rollout.judge.data.pod_slots import PodSlots
from rollout.judge.data.read_samples import read
from rollout.judge.model.ridits import choose_ridits
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)

EDGES = (0.05, 0.1, 0.5)
KINDS = (SignalKind.LATENCY, SignalKind.ERRORS, SignalKind.EVENTS, SignalKind.CRASHES, SignalKind.LATENCY)
POLICY = JudgePolicy(signals=tuple(SignalPolicy(f"s{at}", kind) for at, kind in enumerate(KINDS)))

pods = st.builds(
    PodLook,
    arm=st.sampled_from(Arm),
    age_seconds=st.sampled_from([0.0, 7.0, 40.0, 299.0, 301.0, 900.0]),
    exposure_seconds=st.sampled_from([0.0, 1.0, 15.0]),
    requests=st.integers(-2, 50),
    errors=st.dictionaries(st.sampled_from(["5xx", "timeout"]), st.integers(-2, 60), max_size=2),
    latency_counts=st.one_of(st.just(()), st.lists(st.integers(-1, 40), min_size=4, max_size=4).map(tuple)),
    crashes=st.integers(-1, 2),
)
rosters = st.dictionaries(st.sampled_from([f"p{k}" for k in range(5)]), pods, max_size=5)


def columns_of(policy):
    columns = Columns(policy)
    for index, judged in ((0, (0.1, 0.5)), (4, (0.05,))):
        slow = np.array([60.0, 40.0, 10.0])
        columns.judge_at(index, judged, choose_ridits(EDGES, slow, 100.0) if index == 0 else None)
    return columns


def counted(pod, kind, edge):
    """Failures and size of one pod, in so many words."""
    if kind is SignalKind.LATENCY:
        counts = [max(0, count) for count in pod.latency_counts] or [0] * 4
        return sum(counts[EDGES.index(edge) + 1 :]), sum(counts)
    events = sum(max(0, count) for count in pod.errors.values())
    if kind is SignalKind.ERRORS:
        return events, max(pod.requests, events, 0)
    return max(0, pod.crashes) if kind is SignalKind.CRASHES else events, pod.exposure_seconds


def look(index, roster, edges=EDGES):
    return SignalLook(f"s{index}", 100.0, SourceStatus.OK, roster, edges if KINDS[index] is SignalKind.LATENCY else ())


@given(each=st.lists(rosters, min_size=len(KINDS), max_size=len(KINDS)), alike=st.booleans())
@settings(deadline=None)
def test_all_signals_are_read_as_each_alone_and_as_the_pods_say(each, alike):
    each = [each[0]] * len(KINDS) if alike else each
    columns, batch = columns_of(POLICY), Batch.empty(Columns(POLICY).count)
    readings = read(batch, [(index, look(index, roster), PodSlots()) for index, roster in enumerate(each)], columns)
    for index, (roster, kind) in enumerate(zip(each, KINDS, strict=True)):
        alone = Batch.empty(columns.count)
        assert read(alone, [(index, look(index, roster), PodSlots())], columns) == [readings[index]]
        used, slot = columns.used[index], columns.reserved[index]
        for name in ("counts", "bucket_counts", "pods"):
            axis = 0 if name == "counts" else 1
            one, all_ = (np.take(getattr(found, name), range(slot.start, slot.stop), axis) for found in (alone, batch))
            assert np.allclose(one, all_, atol=1e-9), name
        for row, edge in zip(range(used.start, used.stop), columns.edges[index] or (None,), strict=True):
            sums = np.zeros(4)
            young = np.zeros((3, AGES))
            for pod in roster.values():
                found = counted(pod, kind, edge)
                sums[0 if pod.arm is Arm.CANARY else 2 :][:2] += found
                age = pod.age_seconds - pod.exposure_seconds / 2
                if age < YOUNG_SECONDS:
                    at = age_bin(age)
                    young[slice(1, 3) if pod.arm is Arm.STABLE else 0, at] += (
                        found if pod.arm is Arm.STABLE else found[1]
                    )
            assert batch.counts[row].tolist() == sums.tolist()
            young[0] /= max(sums[1], 1e-300)
            assert np.allclose(young, 0.0 if batch.young is None else batch.young[:, row])


@given(roster=rosters)
@settings(deadline=None)
def test_slots_hold_what_grown_pods_of_stable_did_and_requests_are_kept_apart(roster):
    columns, batch, slots = columns_of(POLICY), Batch.empty(Columns(POLICY).count), PodSlots()
    reading = read(batch, [(1, look(1, roster), slots)], columns)[0]
    row = columns.reserved[1].start
    for name, slot in slots.slots.items():
        pod = roster[name]
        assert pod.arm is Arm.STABLE
        assert pod.age_seconds - pod.exposure_seconds / 2 >= YOUNG_SECONDS
        assert batch.pods[:, row, slot].tolist() == list(counted(pod, SignalKind.ERRORS, None))
    assert reading.whole == tuple(batch.counts[row, 1::2])
    assert reading.seconds == max((pod.exposure_seconds for pod in roster.values()), default=0.0)


def test_an_edge_that_the_source_lost_tells_nothing_and_scores_go_on():
    columns, batch = columns_of(POLICY), Batch.empty(Columns(POLICY).count)
    roster = {
        "a": PodLook(Arm.STABLE, 900.0, 1.0, latency_counts=(8, 4, 2)),
        "b": PodLook(Arm.CANARY, 900.0, 1.0, latency_counts=(1, 2, 3)),
    }
    reading = read(batch, [(0, look(0, roster, edges=(0.05, 0.5)), PodSlots())], columns)[0]
    assert batch.counts[:2].tolist() == [[0, 0, 0, 0], [3, 6, 2, 14]]
    assert reading.whole == (6, 14)
    assert batch.bucket_counts[:, 0].sum(axis=1).tolist() == [6, 14, 14]

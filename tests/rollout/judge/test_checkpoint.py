"""A judge that is saved and restored goes on as if it had never stopped."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy, StateError
from rollout.judge.checkpoint_format import MAGIC, encode
from rollout.judge.data.ages import YOUNG_SECONDS
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from tests.rollout.judge.traffic import (
    CRASHES,
    EDGES,
    EPOCH,
    ERRORS,
    ERRORS_ONLY,
    LATENCY,
    POLICY,
    Traffic,
    histogram,
    play,
)

SIGNALS = ("errors", "latency", "crashes")


@given(cut=st.integers(0, 39), seed=st.integers(0, 5), fails=st.sampled_from([0.002, 0.5]))
@settings(deadline=None, max_examples=25)
def test_save_and_restore_anywhere_equals_straight_through(cut, seed, fails):
    looks = list(Traffic(onset=5, canary_fails=fails, crash_every=3.0).looks(seed, 10, SIGNALS))
    straight, broken = Judge(POLICY), Judge(POLICY)
    for number, batch in enumerate(looks):
        if number == cut:
            broken = Judge.restore(POLICY, broken.save())
        assert broken.look(batch[0].at, batch) == straight.look(batch[0].at, batch)
        assert broken.signals() == straight.signals()
    assert broken.save() == straight.save()


def growing_up(seed, seconds):
    """Looks of a canary that is young for the first half of them, beside three pods of stable that teach."""
    rng = np.random.default_rng(seed)
    for at in range(1, seconds + 1):
        pods = {
            name: PodLook(
                Arm.CANARY if name == "c" else Arm.STABLE,
                YOUNG_SECONDS - seconds / 2 + at if name == "c" else 900.0,
                1.0,
                requests=30,
                errors={"5xx": int(rng.binomial(30, 0.02))},
                latency_counts=histogram(rng, 30),
            )
            for name in ("a", "b", "s", "c")
        }
        yield [SignalLook(name, EPOCH + at, SourceStatus.OK, pods, EDGES) for name in ("errors", "latency")]


@given(cuts=st.sets(st.integers(0, 49), min_size=1, max_size=3))
@settings(deadline=None, max_examples=15)
def test_so_it_does_where_blocks_close_and_the_canary_grows_up(cuts):
    policy = JudgePolicy(signals=(ERRORS, LATENCY))
    straight, broken = Judge(policy), Judge(policy)
    for number, batch in enumerate(growing_up(3, 50)):
        if number in cuts:
            broken = Judge.restore(policy, broken.save())
        assert broken.look(batch[0].at, batch) == straight.look(batch[0].at, batch)
    assert broken.signals() == straight.signals()
    assert broken.save() == straight.save()


def test_twelve_signals_fit_into_64_kilobytes():
    policy = JudgePolicy(signals=tuple(dataclasses.replace(LATENCY, name=f"latency-{k}") for k in range(12)))
    judge = Judge(policy)
    for batch in Traffic(every=1.0).looks(1, 20, ("latency",)):
        judge.look(batch[0].at, [dataclasses.replace(batch[0], signal=s.name) for s in policy.signals])
    assert len(judge.save()) <= 64 * 1024


def hit_now_and_then(kind, rng, seconds, pods):
    """A look at pods of which one in sixteen is hit: ten times the errors and events, and slow."""
    found = {}
    for number in range(pods):
        hit, requests = rng.random() < 1 / 16, int(rng.poisson(100 * seconds))
        canary = Arm.CANARY if number == 13 else Arm.STABLE
        pod = PodLook(canary, 900.0, seconds, crashes=int(rng.random() < 0.02))
        if kind is SignalKind.ERRORS:
            failed = {"5xx": int(rng.binomial(requests, 0.1 if hit else 0.01))}
            pod = dataclasses.replace(pod, requests=requests, errors=failed)
        elif kind is SignalKind.LATENCY:
            pod = dataclasses.replace(pod, latency_counts=histogram(rng, requests, 0.05 * hit))
        elif kind is SignalKind.EVENTS:
            pod = dataclasses.replace(pod, errors={"lines": int(rng.poisson((2.0 if hit else 0.05) * seconds))})
        found[f"checkout-7d9f8b6c5-{number:05d}"] = pod
    return found


@pytest.mark.parametrize(
    ("kinds", "loss"),
    [((SignalKind.ERRORS, SignalKind.LATENCY, SignalKind.EVENTS) * 4, 0.0), ((SignalKind.LATENCY,) * 12, 1e-3)],
)
def test_so_they_do_when_bursts_are_known_in_most_of_them(kinds, loss):
    policy = JudgePolicy(signals=tuple(SignalPolicy(f"s{at}", kind) for at, kind in enumerate(kinds)))
    rng, judge = np.random.default_rng(0), Judge(policy)

    def looks(at, seconds, pods):
        each = [(f"s{n}", hit_now_and_then(kind, rng, seconds, pods)) for n, kind in enumerate(kinds)]
        return [SignalLook(name, EPOCH + at, SourceStatus.OK, pods, EDGES) for name, pods in each]

    for number in range(1, 61):
        judge.learn(looks(15.0 * number, 15.0, 13))
    for number in range(1, 51):
        judge.look(EPOCH + 900.0 + number, looks(900.0 + number, 1.0, 14))
    assert (judge._panel.evidence.ratio.chance > 0).mean() > 0.5
    saved = judge.save()
    assert len(saved) <= 64 * 1024
    resumed = Judge.restore(policy, saved)
    for number in range(51, 61):
        at = 900.0 + number
        now = looks(at, 1.0, 14)
        straight, again = judge.look(EPOCH + at, now), resumed.look(EPOCH + at, now)
        assert again.verdict is straight.verdict
        assert abs(again.log_e - straight.log_e) <= loss
    for one, other in zip(judge.signals(), resumed.signals(), strict=True):
        assert abs(one.log_e - other.log_e) <= loss
    assert (judge.save() == resumed.save()) == (loss == 0)


def test_a_changed_policy_keeps_what_it_can():
    judge = Judge(POLICY)
    play(judge, Traffic().looks(1, 20, SIGNALS))
    other = JudgePolicy(signals=(CRASHES, ERRORS, dataclasses.replace(ERRORS, name="latency")), blast_budget=5)
    restored = Judge.restore(other, judge.save())
    for each in (restored, judge):
        each.look(0.0, [])
    kept, before = (dataclasses.replace(each, reason="") for each in (restored.signals()[1], judge.signals()[0]))
    assert kept == before, "only its part of what convicts is another"
    assert restored.signals()[2].canary_requests == 0


@pytest.mark.parametrize(
    "blob", [b"", b"nonsense", MAGIC + b"nonsense", encode({"signals": {}}), MAGIC + encode({})[4:-5]]
)
def test_damaged_state_is_refused(blob):
    with pytest.raises(StateError, match="fresh judge"):
        Judge.restore(ERRORS_ONLY, blob)

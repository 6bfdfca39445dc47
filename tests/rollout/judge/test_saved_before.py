"""A judge that was saved before its parts got their names of today is restored, and goes on identically.

`saved_before.json` was written by the code of commit f60eae8: the saved sums in the middle of a release, and what that
code said of the looks that followed.
"""

import base64
import json
import math
from pathlib import Path

import numpy as np
import pytest

from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy
from rollout.judge.baseline.pod_effects import pod_effects
from rollout.judge.checkpoint_format import decode
from rollout.signals.looks import Arm, PodLook, SignalLook, SourceStatus
from tests.rollout.judge.traffic import EDGES, EPOCH

SAVED = json.loads(Path(__file__).with_name("saved_before.json").read_text())
BLOB = base64.b64decode(SAVED["blob"])
KINDS = {
    "errors": SignalKind.ERRORS,
    "latency": SignalKind.LATENCY,
    "crashes": SignalKind.CRASHES,
    "lines": SignalKind.EVENTS,
    "memory": SignalKind.GAUGE,
}
POLICY = JudgePolicy(signals=tuple(SignalPolicy(name, kind) for name, kind in KINDS.items()), blast_budget=500)

TOLD = [
    "canary fails 0.24 % (1.2 % lately), stable 0.09 %: not worse by evidence 10^14, 20 was needed",
    (
        "7.5 % of the canary's requests are slower than 250 ms, 6.7 % of stable's: not worse by evidence "
        "10^18, 20 was needed"
    ),
    "canary has no crashes per pod-hour, stable 10: not worse by evidence 77, 20 was needed",
    "canary has 900 events per pod-hour, stable 330: evidence 1,200 against the canary, 100 convicts",
]
"""What is said of it today: the same numbers, with the digits that are known."""


def looks(at, *, canary=True, starts=False):
    """One look of every signal at five pods: no two alike, none by chance; the canary gets worse by and by."""

    def pod(number):
        ours, wave = number == 4, (at * (number + 3)) % 11
        slow = int(at - 60) // 2 if ours and at > 60 else 0
        return PodLook(
            arm=Arm.CANARY if ours else Arm.STABLE,
            age_seconds=at if ours or (starts and number == 0) else 900.0,
            exposure_seconds=1.0,
            requests=100 + int(wave),
            errors={"5xx": int(wave == 3) + slow // 4},
            latency_counts=(5, 10, 20, 30 + int(wave), 20, 8, 4, 2 + slow, 1, 0, 0, 0),
            crashes=int(at == 33 and number == 1),
            gauges={"memory": 1e8 + 1e6 * float(wave)},
        )

    pods = {f"p{number}": pod(number) for number in range(5 if canary else 4)}
    return [SignalLook(name, EPOCH + at, SourceStatus.OK, pods, EDGES, starts=starts) for name in KINDS]


def plain(value):
    """Nested values with arrays as lists, to be compared exactly."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def grown(value, before):
    """What is left of nested values when all that was not saved before is left out."""
    if isinstance(before, dict):
        return {key: grown(value[key], each) for key, each in before.items() if key != NO_LONGER}
    if isinstance(before, np.ndarray):
        return value[tuple(map(slice, before.shape))]
    return value


NO_LONGER = "step"
"""Crashes of a step alone: nobody asks for them any more."""


def test_it_is_put_back_to_the_last_bit_under_the_same_keys():
    saved, before = decode(Judge.restore(POLICY, BLOB).save()), decode(BLOB)
    assert plain(grown(saved, before)) == plain(grown(before, before))


def test_what_it_did_not_know_stays_out_of_the_release_that_it_began():
    evidence = Judge.restore(POLICY, BLOB)._panel.evidence
    assert not evidence.ratio.noise.any()
    assert not evidence.ratio.moves.any()
    assert np.isinf(evidence.pod_variation.likely[:, 4:]).all()
    assert not evidence.pod_effect_prior.near[evidence.ratio.elapsed > 0].any()
    latency = evidence.columns.reserved[list(KINDS).index("latency")].start
    prior = evidence.pod_effect_prior
    far, _ = pod_effects(prior.tau[[latency]], prior.pods[[latency]], np.array([True]))
    assert evidence.ratio.nodes[latency] == pytest.approx(far[0])


def test_it_goes_on_and_convicts_as_it_would_have():
    judge = Judge.restore(POLICY, BLOB)
    for second, verdict, log_e in SAVED["said"]:
        found = judge.look(EPOCH + second, looks(float(second)))
        # The same evidence, less what the guards are paid of it now; an outage of both arms weighs more, too.
        left = math.log(sum(POLICY.weights()))
        assert (found.verdict, found.log_e) == (verdict, pytest.approx(log_e + left, abs=0.01)), second
    assert found.verdict == "bad"
    *counted, gauge = [each.reason for each in judge.signals()]
    assert counted == TOLD
    assert "not judged before stable's pods have shown 3m45s more" in gauge, "newer than what was saved"

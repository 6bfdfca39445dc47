"""What the judge of a release in flight is shown, and as what."""

from __future__ import annotations

import json

import pytest

from rollout.engine.judging import Bench
from rollout.looks import Arm, PodLook, SignalLook, SourceStatus
from rollout.recordings import config_map_of, lines_in
from rollout.spec import Signal
from tests.rollout import samples


def look(at: float, *, starts: bool = False, canary: bool = False) -> SignalLook:
    pods = {"s": PodLook(Arm.STABLE, 900.0, 1.0, requests=50, errors={})}
    if canary:
        pods["c"] = PodLook(Arm.CANARY, 10.0, 1.0, requests=10, errors={})
    return SignalLook("errors", at, SourceStatus.OK, pods, starts=starts)


def test_history_that_comes_when_the_canary_is_judged_is_history_nevertheless():
    status, bench = samples.stepping(), Bench()
    assert status.release is not None
    spec, began = samples.spec(), status.release.started_at
    signals = [Signal.model_validate({"name": "errors", "kind": "errors", "source": "pods"})]
    spec = spec.model_copy(update={"record": True, "analysis": spec.analysis.model_copy(update={"signals": signals})})
    bench.sit(status, spec)
    bench.hear(status, [look(began - 30), look(began - 45, starts=True), look(began - 15)], began + 1)
    assert bench.assessment is not None
    assert (bench.assessment.verdict, bench.assessed_at) == ("no-traffic", began + 1), (
        "asked, and nothing of the canary"
    )
    bench.hear(status, [look(began + 1, canary=True), look(began + 2, canary=True)], began + 2)
    assert bench.assessment is not None
    assert bench.put_down(status).analysis["signals"][0]["canary_requests"] == 20
    assert bench.recorder is not None
    kept = lines_in(config_map_of("checkout", "shop", "id", bench.recorder.finished(), {}))
    told = [json.loads(line) for line in kept.splitlines()[1:]]
    assert [(each["t"] - began, each["phase"]) for each in told if each["pods"]] == [
        (-30, "history"),
        (-15, "history"),
        (-45, "starts"),
        (1, "release"),
        (2, "release"),
    ]


def test_sums_that_are_no_numbers_any_more_are_no_word_of_the_judge():
    status, bench = samples.stepping(), Bench()
    assert status.release is not None
    began = status.release.started_at
    spec = samples.spec()
    signals = [Signal.model_validate({"name": "errors", "kind": "errors", "source": "pods"})]
    bench.sit(status, spec.model_copy(update={"analysis": spec.analysis.model_copy(update={"signals": signals})}))
    nobody = PodLook(Arm.CANARY, 10.0, 1.0, requests=10**160, errors={"500": 10**160})
    stable = PodLook(Arm.STABLE, 900.0, 1.0, requests=50)
    pods = {"s": stable, "c": nobody}
    looks = [SignalLook("errors", began + second, SourceStatus.OK, pods) for second in range(1, 6)]
    with pytest.raises(ArithmeticError, match="no numbers any more"):
        bench.hear(status, looks, began + 5)
    assert bench.assessment is None
    assert bench.put_down(status) == status

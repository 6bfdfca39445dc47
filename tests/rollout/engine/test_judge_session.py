"""What the judge of a release in flight is shown, and as what."""

from __future__ import annotations

import json

import pytest

from rollout.api.spec import Signal
from rollout.api.status import Phase, Status
from rollout.engine.judge_session import Bench
from rollout.records.recorder import config_map_of, lines_in
from rollout.signals.samples import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
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


def test_requests_after_promotion_do_not_count_against_the_share_of_the_last_step():
    bench = Bench()
    spec = samples.spec()
    signals = [Signal.model_validate({"name": "errors", "kind": "errors", "source": "pods"})]
    spec = spec.model_copy(update={"analysis": spec.analysis.model_copy(update={"signals": signals})})
    status = samples.stepping(step=1)
    assert status.release is not None
    began = status.release.started_at
    share = status.weight.desired / 100
    bench.sit(status.model_copy(update={"verified_at": None}), spec)

    def seen(status: Status, first: int, canary: int, stable: int) -> None:
        for second in range(first, first + 60):
            pods = {
                "s": PodLook(Arm.STABLE, 900.0, 1.0, requests=stable, errors={}),
                "c": PodLook(Arm.CANARY, 900.0, 1.0, requests=canary, errors={}),
            }
            now = began + second
            bench.hear(status, [SignalLook("errors", now, SourceStatus.OK, pods)], now)

    step = status.model_copy(update={"verified_at": began})
    seen(step, 1, round(1000 * share), round(1000 * (1 - share)))
    assert bench.assessment is not None
    assert bench.assessment.verdict == "good", bench.assessment
    promoted = step.model_copy(update={"phase": Phase.PROMOTING})
    seen(promoted, 61, 1000, 1)
    assert bench.assessment.verdict == "good", bench.assessment
    assert "reached the canary" not in bench.assessment.reason

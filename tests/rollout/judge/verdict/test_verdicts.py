"""Each of the six verdicts, their order, and the guards."""

import dataclasses
import json
import math

import pytest

from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy, Verdict
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
    crashes_look,
    errors_look,
    latency_look,
    play,
)


def show(judge, *looks):
    """Show looks one after the other; the last assessment."""
    for look in looks:
        assessment = judge.look(look.at, [look])
    return assessment


def without_data(at, status, signal="errors"):
    return SignalLook(signal, EPOCH + at, status, {})


def test_healthy_canary_is_proven_good():
    judge = Judge(POLICY)
    assessment = play(judge, Traffic().looks(1, 120, ("errors", "latency", "crashes")))
    assert assessment.verdict is Verdict.GOOD
    assert assessment.culprits == ()
    assert assessment.evidence_at is None
    assert "3 signals" in assessment.reason
    assert all(signal.verdict is Verdict.GOOD for signal in judge.signals())


def test_failing_canary_is_bad_and_stays_bad():
    judge = Judge(ERRORS_ONLY)
    assessment = play(judge, Traffic(onset=60, canary_fails=0.5).looks(1, 90))
    assert assessment.verdict is Verdict.BAD
    assert assessment.culprits == ("errors",)
    assert EPOCH + 60 < assessment.evidence_at <= judge.convicted_at < EPOCH + 62
    assert assessment.log_e >= math.log(100)
    later = show(judge, *(errors_look(100 + k, (80, 0), (20, 0)) for k in range(30)))
    assert later.verdict is Verdict.BAD
    assert later.evidence_at == assessment.evidence_at


def test_slow_canary_is_bad():
    traffic = Traffic(onset=30, slower_seconds=0.3)
    judge = Judge(POLICY)
    assessment = play(judge, traffic.looks(2, 60, ("errors", "latency", "crashes")))
    assert assessment.verdict is Verdict.BAD
    assert assessment.culprits == ("latency",)
    assert judge.convicted_at - EPOCH < 30 + 5
    assert "slower than" in assessment.reason


def test_crash_loop_is_bad_by_the_guard():
    judge = Judge(JudgePolicy(signals=(CRASHES,)))
    show(judge, *(crashes_look(k) for k in range(1, 30)))
    once, evidence = show(judge, crashes_look(30, canary=1)), judge.signals()[0].log_e
    twice = show(judge, crashes_look(45, canary=1))
    assert once.verdict is Verdict.UNDECIDED
    assert evidence > 0.5
    assert twice.verdict is Verdict.BAD
    assert twice.evidence_at == EPOCH + 30
    assert twice.reason == (
        "crashes: a canary pod crashed or lost readiness 2 times within 15 s, all of stable's not once meanwhile: "
        "too soon for pods that may do so once in 14 h"
    )


def test_a_crash_of_stable_asks_for_more_of_the_canary():
    judge = Judge(JudgePolicy(signals=(CRASHES,)))
    judge.learn([crashes_look(-15 * k, seconds=15.0) for k in range(240, 0, -1)])
    show(judge, *(crashes_look(k, stable=k == 25) for k in range(1, 30)))
    for at in (30, 45):
        assert show(judge, crashes_look(at, canary=1)).verdict is not Verdict.BAD
    assert show(judge, *(crashes_look(at, canary=1) for at in (60, 75, 90))).verdict is Verdict.BAD


def test_crashes_of_both_arms_are_not_blamed():
    judge = Judge(JudgePolicy(signals=(CRASHES,)))
    assessment = show(judge, *(crashes_look(k, stable=k % 20 == 0, canary=k % 40 == 0) for k in range(1, 200)))
    assert assessment.verdict is not Verdict.BAD


def test_begin_step_asks_for_a_new_proof_and_forgets_no_crash():
    judge = Judge(POLICY)
    play(judge, Traffic().looks(1, 60, ("errors", "latency", "crashes")))
    judge.look(EPOCH + 61, [crashes_look(61, canary=1)])
    judge.begin_step()
    assessment = judge.look(EPOCH + 62, [crashes_look(62, canary=1)])
    assert judge.signals()[0].log_e_good == 0.0
    assert judge.signals()[0].verdict is Verdict.UNDECIDED
    assert assessment.verdict is Verdict.BAD
    assert "2 times within 1 s" in assessment.reason


def test_dead_guard_convicts_only_while_stable_is_fine():
    policy = JudgePolicy(
        signals=(dataclasses.replace(ERRORS, hard_guard=0.9, floor=0.99), dataclasses.replace(LATENCY, weight=1e9))
    )
    dead = show(Judge(policy), *(errors_look(k, (30, 0), (30, 30)) for k in range(1, 3)))
    shared = show(Judge(policy), *(errors_look(k, (30, 30), (30, 30)) for k in range(1, 9)))
    assert dead.verdict is Verdict.BAD
    assert "guard is 90%" in dead.reason
    assert shared.verdict is not Verdict.BAD


@pytest.mark.parametrize("share", [0.03, 0.1, 0.5, 1.0])
def test_a_fault_that_stable_shares_is_not_blamed(share):
    traffic = Traffic(onset=60, canary_fails=share, stable_fails=share)
    assert all(play(Judge(ERRORS_ONLY), traffic.looks(seed, 90)).verdict is not Verdict.BAD for seed in range(4))


def test_an_improvement_never_blocks():
    traffic = Traffic(onset=0, canary_fails=0.0, stable_fails=0.03)
    assert play(Judge(ERRORS_ONLY), traffic.looks(1, 90)).verdict is Verdict.GOOD


def test_a_canary_without_concurrent_stable_is_judged_by_history():
    judge = Judge(ERRORS_ONLY)
    show(judge, *(errors_look(k, (100, 0), (0, 0)) for k in range(1, 60)))
    assessment = show(judge, *(errors_look(100 + k, (0, 0), (100, 50)) for k in range(3)))
    assert assessment.verdict is Verdict.BAD


def test_blast_budget_convicts_at_once():
    quiet = dataclasses.replace(ERRORS, floor=0.9, tolerance=50.0)
    signals = (quiet, LATENCY, CRASHES)
    looks = [errors_look(k, (100, 0), (100, 8)) for k in range(1, 30)]
    patient = show(Judge(JudgePolicy(signals=signals)), *looks)
    strict = show(Judge(JudgePolicy(signals=signals, blast_budget=30)), *looks)
    shared = show(
        Judge(JudgePolicy(signals=signals, blast_budget=30)),
        *(errors_look(k, (100, 8), (100, 8)) for k in range(1, 40)),
    )
    assert patient.verdict is not Verdict.BAD
    assert strict.verdict is Verdict.BAD
    assert strict.excess_failed_requests > 30
    assert "budget is 30" in strict.reason
    assert shared.verdict is not Verdict.BAD


def test_nothing_seen_yet_is_no_data():
    assessment = Judge(ERRORS_ONLY).look(EPOCH, [])
    assert assessment.verdict is Verdict.NO_DATA
    assert "not been read" in assessment.reason


def test_canary_without_requests_is_no_traffic():
    judge = Judge(ERRORS_ONLY)
    never = show(judge, errors_look(1, (100, 0), (0, 0)))
    assert never.verdict is Verdict.NO_TRAFFIC
    assert "stable 100" in never.reason
    show(judge, errors_look(2, (100, 0), (20, 0)))
    ceased = show(judge, *(errors_look(2 + k, (100, 0), (0, 0)) for k in range(1, 70)))
    assert ceased.verdict is Verdict.NO_TRAFFIC
    assert "for 69 s" in ceased.reason


def test_sources_that_say_nothing_pass_through():
    judge = Judge(ERRORS_ONLY)
    assert show(judge, without_data(1, SourceStatus.SOURCE_DOWN)).verdict is Verdict.SOURCE_DOWN
    assert show(judge, without_data(2, SourceStatus.NO_DATA)).verdict is Verdict.NO_DATA
    why = SignalLook(
        "errors", EPOCH + 2.5, SourceStatus.SOURCE_DOWN, {}, reason="query: parse error at char 4 " + "x" * 300
    )
    assert show(judge, why).verdict is Verdict.SOURCE_DOWN
    told = judge.signals()[0].reason
    assert told.startswith("its source does not answer: query: parse error at char 4")
    assert len(told) < 250
    assert show(judge, errors_look(3, (80, 0), (20, 0))).verdict is Verdict.UNDECIDED
    stale = judge.look(EPOCH + 100, [])
    assert stale.verdict is Verdict.SOURCE_DOWN
    assert "no look for 97 s" in stale.reason


def test_canary_missing_from_pods_or_histograms_is_no_data():
    only_stable = {"s": PodLook(Arm.STABLE, 900, 1.0)}
    crashes = Judge(JudgePolicy(signals=(CRASHES,)))
    look = SignalLook("crashes", EPOCH, SourceStatus.OK, only_stable)
    assert show(crashes, look).verdict is Verdict.NO_DATA
    latency = Judge(JudgePolicy(signals=(LATENCY,)))
    uncounted = {"c": PodLook(Arm.CANARY, 60, 1.0, 20)}
    assert show(latency, SignalLook("latency", EPOCH, SourceStatus.OK, uncounted, EDGES)).verdict is Verdict.NO_DATA


def test_bad_wins_then_the_least_informed():
    judge = Judge(POLICY)
    looks = [errors_look(1, (80, 0), (20, 0)), without_data(1, SourceStatus.SOURCE_DOWN, "latency")]
    assert judge.look(EPOCH + 1, [*looks, crashes_look(1)]).verdict is Verdict.SOURCE_DOWN
    looks = [errors_look(2, (80, 0), (0, 0)), without_data(2, SourceStatus.NO_DATA, "latency")]
    assert judge.look(EPOCH + 2, looks).verdict is Verdict.NO_DATA
    for k in range(3, 8):
        assessment = judge.look(EPOCH + k, [errors_look(k, (80, 0), (20, 20))])
    assert assessment.verdict is Verdict.BAD
    assert [signal.verdict for signal in judge.signals()][:2] == [Verdict.BAD, Verdict.NO_DATA]


def test_counted_events():
    events = SignalPolicy("dead-letters", SignalKind.EVENTS)
    judge = Judge(JudgePolicy(signals=(events,)))

    def look(at, canary):
        pods = {"s": PodLook(Arm.STABLE, 900, 1.0), "c": PodLook(Arm.CANARY, 60, 1.0, errors={"dead": canary})}
        return SignalLook("dead-letters", EPOCH + at, SourceStatus.OK, pods)

    show(judge, *(look(k, 0) for k in range(1, 60)))
    assessment = show(judge, *(look(60 + k, 3) for k in range(10)))
    assert assessment.verdict is Verdict.BAD
    assert "events per pod-hour" in assessment.reason


def test_redelivered_and_older_looks_change_nothing():
    judge = Judge(ERRORS_ONLY)
    look = errors_look(10, (80, 0), (20, 3))
    first = show(judge, errors_look(5, (80, 0), (20, 0)), look)
    before = judge.save()
    assert judge.look(EPOCH + 10, [look]) == first
    assert judge.look(EPOCH + 4, [errors_look(4, (80, 0), (20, 20))]) == first
    assert judge.save() == before


def test_looks_delivered_twice_in_one_call_are_taken_in_once():
    looks = [errors_look(k, (80, 0), (20, k % 2)) for k in range(1, 10)]
    once, twice = Judge(ERRORS_ONLY), Judge(ERRORS_ONLY)
    assert twice.look(looks[-1].at, [*looks, *looks]) == once.look(looks[-1].at, looks)
    assert twice.save() == once.save()


def test_looks_of_one_signal_in_one_call_are_taken_in_order():
    looks = [errors_look(k, (80, 0), (20, k % 2)) for k in range(1, 20)]
    one_by_one, at_once = Judge(ERRORS_ONLY), Judge(ERRORS_ONLY)
    expected = show(one_by_one, *looks)
    assert at_once.look(looks[-1].at, looks[::-1]) == expected


def test_history_can_be_learned_before_the_canary_comes():
    knowing, fresh = Judge(ERRORS_ONLY), Judge(ERRORS_ONLY)
    knowing.learn([errors_look(-k, (8000, 16), (20, 20)) for k in range(1, 5)])
    knowing.learn([without_data(0, SourceStatus.SOURCE_DOWN)])
    looks = [errors_look(k, (8, 0), (2, 1)) for k in range(1, 4)]
    assert show(knowing, *looks).log_e > show(fresh, *looks).log_e


def test_too_little_history_is_said():
    judge = Judge(ERRORS_ONLY)
    young = show(judge, *(errors_look(k, (80, 0), (20, 0)) for k in range(1, 4)))
    assert "(not enough baseline: one pod of stable is seen apart, and it takes two" in young.reason
    knowing = Judge(ERRORS_ONLY)
    pods = {f"p{i}": PodLook(Arm.STABLE, 900, 15.0, 300, {"5xx": 1}) for i in range(9)}
    knowing.learn([SignalLook("errors", EPOCH - 15 * k, SourceStatus.OK, pods) for k in range(1, 61)])
    known = show(knowing, *(errors_look(k, (80, 0), (20, 0)) for k in range(1, 4)))
    assert known.verdict is Verdict.UNDECIDED
    assert "baseline" not in known.reason


def test_unknown_signals_are_refused():
    with pytest.raises(KeyError, match="crashes"):
        Judge(ERRORS_ONLY).look(EPOCH, [crashes_look(1)])


def test_latency_needs_requests_and_survives_lost_edges():
    judge = Judge(JudgePolicy(signals=(dataclasses.replace(LATENCY, threshold_seconds=0.1),)))
    few = latency_look(1, (0, 0, 3, 4) + (0,) * 8, (0, 0, 1, 1) + (0,) * 8)
    show(judge, few)
    assert judge.signals()[0].canary_rate is None
    many = [latency_look(1 + k, (0, 0, 40, 40) + (0,) * 8, (0, 0, 10, 10) + (0,) * 8) for k in range(1, 20)]
    assert show(judge, *many).verdict is Verdict.GOOD
    other = {"c": PodLook(Arm.CANARY, 60, 1.0, 20, {}, (10, 10)), "s": PodLook(Arm.STABLE, 60, 1.0, 80, {}, (40, 40))}
    assessment = show(judge, SignalLook("latency", EPOCH + 50, SourceStatus.OK, other, (0.3,)))
    assert assessment.verdict is Verdict.GOOD
    alone = [latency_look(51 + k, (0,) * 12, (0,) * 10 + (5, 5)) for k in range(1, 4)]
    assert show(judge, *alone).verdict is not Verdict.NO_DATA


def test_assessments_are_json():
    judge = Judge(POLICY)
    told = play(judge, Traffic().looks(1, 5, ("errors", "latency", "crashes"))), *judge.signals()
    texts = [json.dumps(dataclasses.asdict(each), allow_nan=False) for each in told]
    assert json.loads(texts[0])["verdict"] == "undecided"
    assert [json.loads(text)["signal"] for text in texts[1:]] == ["errors", "latency", "crashes"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: JudgePolicy(signals=()),
        lambda: JudgePolicy(signals=(ERRORS, ERRORS)),
        lambda: JudgePolicy(signals=(ERRORS,), false_rollback_rate=0.0),
        lambda: JudgePolicy(signals=(ERRORS,), promotion_margin=1.0),
        lambda: SignalPolicy("", SignalKind.ERRORS),
        lambda: SignalPolicy("x", SignalKind.ERRORS, tolerance=0.5),
        lambda: SignalPolicy("x", SignalKind.ERRORS, weight=0.0),
        lambda: SignalPolicy("x", SignalKind.ERRORS, floor=-1.0),
    ],
)
def test_senseless_policies_are_refused(make):
    with pytest.raises(ValueError, match=r".+"):
        make()

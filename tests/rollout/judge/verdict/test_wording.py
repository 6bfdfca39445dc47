"""Every sentence about evidence: what there was and what was needed on one scale, with no digit that is not known."""

import dataclasses
import math

import pytest

from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy, Verdict
from rollout.judge.baseline.missing import Missing, missing
from rollout.judge.verdict import wording
from rollout.judge.verdict.shown import Counted
from rollout.signals import figures
from rollout.signals.looks import Arm, PodLook, SignalLook, SourceStatus
from tests.rollout.judge.traffic import (
    EDGES,
    EPOCH,
    ERRORS,
    ERRORS_ONLY,
    LATENCY,
    POLICY,
    Traffic,
    errors_look,
    latency_look,
    play,
)
from tests.rollout.judge.verdict.test_verdicts import show


def taught(judge, looks, pods=9, errors=1, requests=300):
    """History of stable's pods, block by block."""
    each = {f"p{i}": PodLook(Arm.STABLE, 900, 15.0, requests, {"5xx": errors}) for i in range(pods)}
    judge.learn([SignalLook("errors", EPOCH - 15 * k, SourceStatus.OK, each) for k in range(looks, 0, -1)])
    return judge


@pytest.mark.parametrize(
    ("value", "limit", "told"),
    [
        (17_628, 100, "18,000"),
        (3.21, 100, "3.2"),
        (0.0004, 100, "less than 0.01"),
        (2e7, 100, "10^7"),
        (99.7, 100, "99.7"),
        (100.2, 100, "100"),
        (142.9, 142.857, "143"),
        (1.0, math.inf, "1"),
    ],
)
def test_evidence_has_as_many_digits_as_its_side_of_the_limit_needs(value, limit, told):
    assert wording.odds(math.log(value), limit) == told


@pytest.mark.parametrize(
    ("failed", "size", "told"),
    [
        (0, 0, "nothing"),
        (0, 900, "0 %"),
        (7, 2999, "0.23 %"),
        (3, 1000, "0.3 %"),
        (888, 10_000, "8.9 %"),
        (2, 3, "67 %"),
        (20, 20, "100 %"),
    ],
)
def test_a_share_has_the_digits_that_its_counts_tell(failed, size, told):
    assert wording.share(Counted(failed, size)) == told


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0"), (3.617, "3.6"), (0.01234, "0.012"), (17_628, "18,000"), (math.inf, "inf")]
)
def test_an_estimate_has_two_digits_and_no_exponent(value, told):
    assert figures.rough(value) == told


def test_a_conviction_by_one_signal_tells_what_there_was_and_what_convicts():
    judge = Judge(ERRORS_ONLY)
    found = play(judge, Traffic(onset=60, canary_fails=0.5).looks(1, 90))
    evidence = wording.odds(found.log_e, 100)
    assert found.reason.startswith("errors: canary fails ")
    assert found.reason.endswith(f" %: evidence {evidence} against the canary, 100 convicts")
    assert found.reason == f"errors: {judge.signals()[0].reason}"


def test_what_convicted_stays_what_is_told():
    judge = Judge(ERRORS_ONLY)
    found = play(judge, Traffic(onset=60, canary_fails=0.5).looks(1, 90))
    said = found.reason.partition(": evidence")[2]
    later = show(judge, *(errors_look(100 + k, (80, 0), (20, 0)) for k in range(30)))
    assert judge.signals()[0].log_e < found.log_e, "evidence went down since"
    assert later.reason.partition(": evidence")[2] == said
    again = Judge.restore(ERRORS_ONLY, judge.save()).look(later.evidence_at + 200, [])
    assert again.reason == later.reason


def test_weak_evidence_of_several_signals_adds_up_to_what_convicts_and_names_the_heaviest():
    policy = JudgePolicy(signals=tuple(dataclasses.replace(ERRORS, name=name) for name in ("a", "b", "c")))
    judge = Judge(policy)
    for k in range(1, 200):
        look = errors_look(k, (80, 0), (20, int(k > 30)))
        found = judge.look(look.at, [dataclasses.replace(look, signal=s.name) for s in policy.signals])
        if found.verdict is Verdict.BAD:
            break
    assert found.culprits
    own = wording.odds(judge.signals()[0].log_e - math.log(3), 100)
    total = wording.odds(found.log_e, 100)
    assert f"evidence {own} against the canary, {total} with the other signals', 100 convicts" in found.reason


def test_a_conviction_by_a_signal_that_is_not_judged_any_more_says_so():
    judge = Judge(ERRORS_ONLY)
    play(judge, Traffic(onset=60, canary_fails=0.5).looks(1, 90))
    other = Judge.restore(JudgePolicy(signals=(LATENCY,)), judge.save())
    found = other.look(EPOCH + 100, [])
    assert (found.verdict, found.reason) == (Verdict.BAD, "the signal that convicted is not judged any more")


def test_a_culprit_beside_a_guard_does_not_claim_to_have_convicted():
    told = wording.convicted("seen", math.log(50), math.log(60), 100, by_guard=True)
    assert told == "seen: evidence 50 against the canary, beside the guard that convicted it"


def test_a_spent_budget_tells_what_was_compared_with_it():
    judge = Judge(JudgePolicy(signals=(dataclasses.replace(ERRORS, floor=0.9, tolerance=50.0),), blast_budget=30))
    found = show(judge, *(errors_look(k, (100, 0), (100, 8)) for k in range(1, 30)))
    least = int(found.reason.partition("at least ")[2].split()[0])
    assert 30 <= least < found.excess_failed_requests
    assert found.reason.endswith("failed requests more than stable would have had, chance left out; the budget is 30")


def test_good_tells_the_weakest_proof():
    judge = Judge(POLICY)
    found = play(judge, Traffic().looks(1, 120, ("errors", "latency", "crashes")))
    least = wording.odds(min(each.log_e_good for each in judge.signals()), 20)
    assert found.reason == f"all 3 signals: not worse by evidence {least}, 20 was needed"
    assert "not worse by evidence" in judge.signals()[0].reason


def test_good_by_one_signal_names_it():
    judge = Judge(ERRORS_ONLY)
    found = play(judge, Traffic().looks(1, 300))
    least = wording.odds(judge.signals()[0].log_e_good, 20)
    assert found.reason == f"errors: not worse by evidence {least}, 20 was needed"


def test_undecided_tells_both_and_what_each_needs():
    judge = Judge(ERRORS_ONLY)
    found = show(judge, *(errors_look(k, (80, 0), (20, 0)) for k in range(1, 4)))
    evidence = judge.signals()[0]
    against, proof = wording.odds(evidence.log_e, 100), wording.odds(evidence.log_e_good, 20)
    assert found.reason.endswith(
        f"evidence {against} against the canary, 100 convicts; {proof} for it, 20 proves it good"
    )


def test_a_signal_of_little_weight_is_told_by_its_part_of_what_convicts():
    judge = Judge(POLICY)
    show(judge, *(errors_look(k, (80, 0), (20, 0)) for k in range(1, 4)))
    errors = judge.signals()[0]
    part = wording.odds(errors.log_e + math.log(POLICY.weights()[0]), 100)
    assert f"evidence {part} against the canary, 100 convicts" in errors.reason


def test_a_proof_beside_evidence_against_the_canary_says_what_it_waits_for():
    told = wording.open_still("seen", math.log(8), 100, math.log(35), 20, 5.0)
    assert (
        told
        == "seen: evidence 8 against the canary, 100 convicts; 35 for it, which counts once that against it is below 5"
    )


def test_the_edge_that_is_shown_is_the_one_that_convicted():
    judge = Judge(JudgePolicy(signals=(LATENCY,)))
    usual = (0, 0, 400, 300, 80, 15, 4, 1) + (0,) * 4
    show(judge, *(latency_look(k, usual, tuple(n // 4 for n in usual)) for k in range(1, 60)))
    stuck = (0, 0, 100, 75, 5, 3, 1, 0, 0, 0, 15, 1)
    found = show(judge, *(latency_look(60 + k, usual, stuck) for k in range(1, 13)))
    assert found.verdict is Verdict.BAD
    conviction = judge._panel.cases[0].conviction
    edge = conviction.edges[0]
    assert f"slower than {edge * 1000:g} ms" in found.reason
    # Since then the canary is slower at every edge; the one that convicted stays the one that is shown.
    slow = (0,) * 4 + (200,) + (0,) * 7
    later = show(judge, *(latency_look(80 + k, usual, slow) for k in range(1, 60)))
    assert f"slower than {edge * 1000:g} ms" in later.reason
    assert Judge.restore(judge._panel.policy, judge.save())._panel.cases[0].conviction == conviction


def test_slower_as_a_whole_is_told_as_that():
    judge = Judge(JudgePolicy(signals=(LATENCY,)))
    usual, slower = (0, 10, 60, 120, 120, 60, 20, 8, 2, 0, 0, 0), (0, 6, 45, 108, 126, 75, 27, 11, 3, 0, 0, 0)
    stable = {f"p{i}": PodLook(Arm.STABLE, 900, 15.0, 400, {}, usual) for i in range(9)}
    judge.learn([SignalLook("latency", EPOCH - 15 * k, SourceStatus.OK, stable, EDGES) for k in range(60, 0, -1)])
    pods = stable | {"c": PodLook(Arm.CANARY, 900, 15.0, sum(slower), {}, slower)}
    found = show(judge, *(SignalLook("latency", EPOCH + 15 * k, SourceStatus.OK, pods, EDGES) for k in range(1, 60)))
    assert found.verdict is Verdict.BAD
    assert found.reason.startswith("latency: slower as a whole: 60.3 % of the canary's requests are slower than 50 ms")


def test_what_the_edges_have_adds_up_to_what_the_signal_has():
    judge = Judge(POLICY)
    usual = (0, 10, 60, 120, 120, 60, 20, 8, 2, 0, 0, 0)
    show(judge, *(latency_look(k, usual, tuple(n // 2 + k % 3 for n in usual)) for k in range(1, 40)))
    evidence, index = judge._panel.evidence, [each.name for each in POLICY.signals].index("latency")
    assert evidence.columns.edges[index]
    assert math.log(sum(math.exp(each) for each in evidence.weighed_edges(index))) == pytest.approx(
        evidence.log_e()[index]
    )


def test_what_is_missing_of_the_baseline_and_how_long_it_takes():
    judge = taught(Judge(ERRORS_ONLY), 10, errors=0, requests=300)
    pods = {f"p{i}": PodLook(Arm.STABLE, 900, 1.0, 20) for i in range(9)} | {"c": PodLook(Arm.CANARY, 60, 1.0, 20)}
    told = show(judge, *(SignalLook("errors", EPOCH + k, SourceStatus.OK, pods) for k in (1, 2))).reason
    lacks = missing(judge._panel.evidence.pod_variation, 0)
    assert (lacks.pods, lacks.blocks, lacks.seconds) == (9, 300 - 99, math.inf)
    assert "(not enough baseline: it takes 5m35s more of stable's pods and 10 failures of theirs, of which" in told


def test_it_takes_as_long_as_was_told():
    judge = taught(Judge(ERRORS_ONLY), 4, pods=5, errors=1)
    lacks = missing(judge._panel.evidence.pod_variation, 0)
    assert (lacks.pods, lacks.blocks, lacks.failures) == (5, 280, 0)
    blocks = math.ceil(lacks.seconds / 15)
    nearly, enough = (taught(Judge(ERRORS_ONLY), 4 + more, pods=5) for more in (blocks - 1, blocks))
    assert missing(nearly._panel.evidence.pod_variation, 0) is not None
    assert missing(enough._panel.evidence.pod_variation, 0) is None


def test_failures_that_are_missing_come_as_often_as_they_came():
    judge = Judge(ERRORS_ONLY)
    pods = {f"p{i}": PodLook(Arm.STABLE, 900, 15.0, 300, {"5xx": int(i == 0)}) for i in range(10)}
    quiet = {name: dataclasses.replace(pod, errors={}) for name, pod in pods.items()}
    looks = [SignalLook("errors", EPOCH + 15 * k, SourceStatus.OK, quiet if k % 5 else pods) for k in range(40)]
    judge.learn(looks)
    lacks = missing(judge._panel.evidence.pod_variation, 0)
    assert (lacks.blocks, lacks.failures) == (0, 2)
    assert lacks.seconds == pytest.approx(150.0)
    assert wording.short_baseline(ERRORS, lacks).endswith("it takes 2 failures of stable, about 3m as it goes)")


@pytest.mark.parametrize(
    ("lacks", "told"),
    [
        (
            Missing(0, 300, 10, math.inf),
            "nothing is known of stable's pods, and younger than 5m they do not tell",
        ),
        (Missing(1, 300, 10, math.inf), "one pod of stable is seen apart, and it takes two to know how pods differ"),
        (Missing(9, 210, 0, 350), "it takes 5m50s more of stable's pods"),
        (
            Missing(9, 210, 4, 3000),
            "it takes 5m50s more of stable's pods and 4 failures of theirs, about 50m as it goes",
        ),
    ],
)
def test_a_short_baseline_in_words(lacks, told):
    assert wording.short_baseline(ERRORS, lacks) == f" (not enough baseline: {told})"


def test_slow_requests_are_no_failures():
    told = wording.short_baseline(SignalPolicy("latency", SignalKind.LATENCY), Missing(9, 0, 4, 90_000))
    assert told.endswith("it takes 4 slow requests of stable, about 25h as it goes)")


def test_one_backend_instead_of_pods_is_told():
    judge = Judge(ERRORS_ONLY)
    found = show(judge, *(errors_look(k, (80, 0), (20, 0)) for k in range(1, 4)))
    assert "(not enough baseline: one pod of stable is seen apart" in found.reason


def test_a_latency_signal_has_enough_although_nothing_is_beyond_its_last_edges():
    judge = Judge(JudgePolicy(signals=(LATENCY,)))
    counts = (0, 10, 60, 120, 120, 60, 20, 8, 0, 0, 0, 0)
    pods = {f"p{i}": PodLook(Arm.STABLE, 900, 15.0, sum(counts), {}, counts) for i in range(9)}
    judge.learn([SignalLook("latency", EPOCH - 15 * k, SourceStatus.OK, pods, EDGES) for k in range(60, 0, -1)])
    found = show(judge, *(latency_look(k, counts, tuple(n // 8 for n in counts)) for k in range(1, 3)))
    assert found.verdict is Verdict.UNDECIDED
    assert "baseline" not in found.reason


@pytest.mark.parametrize(
    ("seconds", "told"), [(30, "30s"), (119, "119s"), (1100, "19m"), (7300, "3h"), (200_000, "3d")]
)
def test_a_guess_of_a_duration_is_told_in_whole_units(seconds, told):
    assert wording.roughly(seconds) == told

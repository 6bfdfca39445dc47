"""The judges' benchmark in small: its vectorised judge is the judge, and its figures are what they are called."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.judge import speed
from bench.judge.gauge_runs import gauge_scenarios, play_gauge
from bench.judge.limit import limit_seconds
from bench.judge.ours import KINDS, Ours
from bench.judge.quick import rows
from bench.judge.rivals import Arms, rivals
from bench.judge.run import play
from bench.judge.tables import BEFORE, OURS, Result, beside, markdown, summary
from bench.judge.world import EDGES, Series, World, scenarios
from rollout.judge import Judge, JudgePolicy, SignalPolicy
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)

ALL = scenarios()


def as_looks(look, replicate):
    """The same look as the judge of a real release is given it."""
    pods = {}
    for index, age in enumerate(look.ages):
        canary = index == look.ages.size - 1
        if age < 0 or (canary and look.history):
            continue
        pods[f"p{index}"] = PodLook(
            arm=Arm.CANARY if canary else Arm.STABLE,
            age_seconds=age + look.seconds[replicate] / 2,
            exposure_seconds=look.seconds[replicate],
            requests=int(look.requests[replicate, index]),
            errors={"5xx": int(look.failed[replicate, index])},
            latency_counts=tuple(int(each) for each in look.buckets[replicate, index]),
            crashes=int(look.crashes[replicate, index]),
        )
    return [SignalLook(str(kind), look.at, SourceStatus.OK, pods, tuple(EDGES)) for kind in KINDS]


@pytest.mark.parametrize("key", ["H4", "H5", "B8", "H7"])
def test_the_vectorised_judge_says_what_the_judge_says(key):
    policy = JudgePolicy(signals=tuple(SignalPolicy(str(kind), kind) for kind in KINDS))
    ours, judges = Ours(2), [Judge(policy) for _ in range(2)]
    for look in World(ALL[key], 2, 1).looks():
        fired = ours.look(look)
        for replicate, judge in enumerate(judges):
            if not look.arrived[replicate]:
                continue
            if look.history:
                judge.learn(as_looks(look, replicate))
                continue
            said = judge.look(look.at, as_looks(look, replicate))
            if judge.convicted_at is None:
                assert said.log_e == pytest.approx(ours.log_e[replicate], abs=1e-6)
            assert bool(fired[replicate]) <= (judge.convicted_at is not None)
        if look.at >= 600:
            break


def test_healthy_canaries_stay_and_bad_ones_go():
    for key in ("H1", "H4", "H5"):
        assert not np.isfinite(play(ALL[key], 12, 7, alone=True)[OURS].times).any(), key
    for key, within in (("B2", 30.0), ("B4", 45.0), ("B7", 1050.0)):
        assert max(play(ALL[key], 12, 7, alone=True)[OURS].times) <= within, key


def test_the_same_seed_makes_the_same_world():
    first, again, other = (list(World(ALL["H9"], 3, seed).looks()) for seed in (1, 1, 2))
    assert all(
        (a.failed == b.failed).all() and (a.buckets == b.buckets).all() for a, b in zip(first, again, strict=True)
    )
    assert any((a.failed != b.failed).any() for a, b in zip(first, other, strict=True))
    assert sum(look.history for look in first) == 240


def test_lost_looks_lose_no_count():
    looks = list(World(ALL["H7"], 4, 1).looks())
    lost = np.mean([~look.arrived for look in looks if not look.history])
    assert 0.1 < lost < 0.3
    delivered = sum(look.seconds for look in looks)
    assert np.allclose(delivered, 15.0 * len(looks), atol=15.0 * 8)


def test_rivals_judge_as_they_are_documented():
    everybody = rivals(6)
    assert len({judge.name for judge in everybody}) == len(everybody)
    found = play(ALL["B2"], 6, 3)
    assert all(math.isfinite(at) for at in found["Flagger 99 % and p99 500 ms, threshold 1"].times)
    assert min(found["Flagger 99 % and p99 500 ms, threshold 5"].times) == 300.0
    assert max(found["z-test at each look"].times) <= 60.0
    assert max(found["plain e-process"].times) <= 60.0
    assert max(found["Mann-Whitney each 5 min"].times) <= 600.0
    assert not np.isfinite(found["Argo Rollouts 95 %, each 5 min, limit 3"].times).all()


def test_quantiles_are_interpolated_as_prometheus_does():
    arm = Arms.empty(2)
    arm.buckets[0, 3], arm.buckets[0, 4] = 50, 50
    assert arm.quantile(0.5)[0] == pytest.approx(0.05)
    assert arm.quantile(0.75)[0] == pytest.approx(0.075)
    assert np.isnan(arm.quantile(0.5)[1])


def test_limits_are_those_of_the_prototype():
    assert limit_seconds(ALL["B1"]) == pytest.approx(72, rel=0.05)
    assert limit_seconds(ALL["B8"]) == pytest.approx(55, rel=0.05)
    assert limit_seconds(ALL["B5"]) == pytest.approx(273, rel=0.05)
    assert math.isinf(limit_seconds(ALL["H1"]))


def test_a_fault_that_may_begin_at_any_look_or_comes_in_groups_takes_longer():
    known_onset = replace(ALL["B7"], said=ALL["B7"].said | {"canary_errors": 0.02, "onset": 0})
    at_start = limit_seconds(known_onset)
    known = math.log(100)
    assert limit_seconds(ALL["B7"]) == pytest.approx(at_start * (known + math.log(120)) / known)
    assert limit_seconds(ALL["B12"]) == pytest.approx(5 * at_start, rel=0.05)


def test_what_a_cold_start_may_do_as_well_tells_nothing_where_none_was_seen():
    cold = ALL["H18"].said["cold"]
    known = replace(ALL["B21"], said=ALL["B21"].said | {"starts": True})
    assert limit_seconds(ALL["B21"]) == pytest.approx(cold["seconds"] + limit_seconds(known), rel=0.01)
    slower = replace(ALL["B21"], said=ALL["B21"].said | {"latency_factor": 3.0})
    assert limit_seconds(slower) < 5, "no cold start that is thought of is so slow"
    started = replace(ALL["B15"], said=ALL["B15"].said | {"starts": True})
    assert limit_seconds(started) == pytest.approx(limit_seconds(ALL["B9"]))
    assert limit_seconds(started) < limit_seconds(ALL["B15"]) < cold["seconds"]


def test_tables_say_how_often_how_soon_and_at_what_cost():
    bad = {OURS: Result([30.0, None, 60.0, 15.0], [4.0, 90.0, 8.0, 2.0])}
    healthy = {OURS: Result([None, None, None, 45.0], [0.0] * 4, [True, True, False, False])}
    late = summary(ALL["B1"], [bad], 72.0)
    assert late["judges"][OURS]["missed"] == 0.25
    assert late["judges"][OURS]["delay_seconds"] == pytest.approx((30 + 1800 + 60 + 15) / 4, abs=0.1)
    assert late["judges"][OURS]["harmed"] == 26.0
    well = summary(ALL["H1"], [healthy], math.inf)
    assert (well["judges"][OURS]["false"], well["judges"][OURS]["good"]) == (0.25, 0.5)
    assert 0.25 < well["judges"][OURS]["false_at_most"] < 0.8
    assert (late["limit_at_a_look"], well["limit_at_a_look"]) == (75, None)
    assert summary(ALL["B2"], [bad], 3.0)["limit_at_a_look"] == summary(ALL["B2"], [bad], 15.0)["limit_at_a_look"] == 15
    page = markdown([late, well], {"date": "today"})
    assert "| B1 errors 0.2 to 0.7 % | 72 (75) | 4 | 476 / 25.0 % / 26 |" in page
    assert "25.00 % (≤ " in page


def test_an_earlier_run_stands_beside_and_no_judge_is_lost():
    def told(replicates, **judges):
        figures = {"false": 0.0, "false_at_most": 0.5, "missed": 0.0, "harmed": 0.0}
        plain = {name: {**figures, "delay_seconds": seconds} for name, seconds in judges.items()}
        return {"scenario": "B1", "name": "x", "limit_seconds": None, "replicates": replicates, "judges": plain}

    before = told(500, **{OURS: 30.0, BEFORE: 99.0, "z-test": 7.0})
    (found,) = beside([told(250, **{OURS: 20.0})], [before])
    assert {name: each["delay_seconds"] for name, each in found["judges"].items()} == {
        OURS: 20,
        BEFORE: 30,
        "z-test": 7,
    }
    assert list(found["judges"])[:2] == [OURS, BEFORE]
    assert "| B1 x |  | 250 (500) | 20 / 0.0 % / 0 | 30 / 0.0 % / 0 | 7 / 0.0 % / 0 |" in markdown([found], {})
    assert beside([told(250, **{OURS: 20.0})], []) == [told(250, **{OURS: 20.0})]


def test_real_series_set_the_course_of_load_latency_errors_and_crashes():
    rng = np.random.default_rng(1)
    series = Series("petsite", 5400.0, 3600.0, rng, 50)
    load, errors = series.relative("load", 0.0), series.at("errors", 0.0)
    assert load.shape == (50, 1)
    assert 0.9 < float(load.mean()) < 1.1
    assert float(errors.max()) < 0.05
    assert not series.at("crashes_per_hour", 60.0).any()
    looks = [look for look in World(ALL["H21"], 20, 1).looks() if not look.history]
    assert sum(look.crashes.sum() for look in looks) > 20


def test_gauges_have_scenarios_too():
    found = gauge_scenarios()
    leak = play_gauge(found["BG2"], 3, 1)
    assert all(at is not None and at < 900 for at in leak[OURS].times)
    lag = play_gauge(found["BG3"], 3, 1)
    assert all(at is not None and at < 1200 for at in lag[OURS].times)
    steady = play_gauge(found["HG2"], 3, 1)
    assert steady[OURS].times == [None] * 3
    told = [summary(found[key], [result], math.inf) for key, result in (("BG2", leak), ("HG2", steady))]
    assert "## Gauges" in markdown(told, {"machine": "this"})


def test_the_judge_alone_is_quick_and_blames_no_shared_outage():
    *faults, outages = rows(2)
    assert [each.split("|")[2].strip() for each in faults] == ["2", "2", "2"]
    assert all(float(each.split("|")[5].removesuffix(" s ")) <= 2.0 for each in faults)
    assert "| 6 | called bad 0 times |" in outages


def test_what_a_look_costs_is_told_for_twelve_signals():
    look, early, many, _learning, _told, saving, _restoring, again, by_command = speed.rows(10, 1, 2)
    assert look.startswith("| a look of 12 signals | 10 |")
    assert early.startswith("| a look of 12 signals at a canary in its first minutes | 10 |")
    assert many.startswith("| a look of 12 signals at 300 pods | 1 |")
    assert 1 <= int(saving.partition("(")[2].partition(" kB")[0]) <= 64
    assert "replay of 240 looks" in again
    assert by_command.startswith("| `grayling release replay` of 2 recordings of 240 looks | 1 |")


def test_committed_figures_are_of_the_scenarios_there_are():
    told = json.loads((Path(__file__).parents[2] / "bench" / "results" / "judge.json").read_text())
    assert {each["scenario"] for each in told} == set(ALL) | set(gauge_scenarios())
    ours = {each["scenario"]: each["judges"][OURS] for each in told}
    assert [key for key, each in ours.items() if key.startswith("H") and each["false"] > 0.01] == []
    assert [key for key, each in ours.items() if key.startswith("B") and each["missed"] > 0.01] == []

"""The arithmetic of the reaction benchmark, and the moments it is fed with."""

import json

import pytest
from load.answers import Answer
from trial.moments import moments_of, slower_than

from bench.reaction_figures import STAGES, WHOLE, Run, Scenario, bar, epoch, figures, markdown, scenario_of, spread


def answer(done: float, status: int = 200, version: str = "v2", took: float = 0.01) -> Answer:
    return Answer(done - took, done - took, done, status, version=version)


def run(start: float = 100.0, **changed) -> Run:
    moments = {
        "fault": start - 0.01, "start": start, "evidence": start + 0.2, "decided": start + 0.3, "written": start + 0.33,
        "observed": start + 0.5, "weight_zero": start + 0.335, "last_canary": start + 0.35, "failed": 4, "requests": 8,
        "outcome": "rolled-back", "culprits": ("errors",),
    }  # fmt: skip
    return Run(**(moments | changed))


def test_moments_of_errors():
    answers = [
        answer(0.5, 500), answer(1.0), answer(1.1, 500), answer(1.2, 500, "v1"), answer(1.3, 500), answer(1.4),
        answer(2.0, version="v1"),
    ]  # fmt: skip
    seen = moments_of(answers, "v2", since=0.9)
    assert (seen.first_bad, seen.last_canary, seen.bad, seen.canary) == (1.1, 1.4, 2, 4)
    assert seen.reaction == pytest.approx(0.3)


def test_answers_nobody_signed_count_as_the_canarys_only_when_bad():
    answers = [answer(1.0, 503, ""), answer(1.5, 0, ""), answer(2.0, 200, ""), answer(3.0, 503, "v1")]
    seen = moments_of(answers, "v2")
    assert (seen.first_bad, seen.last_canary, seen.bad, seen.canary) == (1.0, 1.5, 2, 0)


def test_moments_of_a_delay():
    answers = [answer(1.0), answer(1.4, took=0.31), answer(1.5, took=0.02)]
    seen = moments_of(answers, "v2", is_bad=slower_than(0.27))
    assert (seen.first_bad, seen.last_canary, seen.bad) == (1.4, 1.5, 1)


def test_without_a_bad_answer_there_is_no_reaction():
    assert moments_of([answer(1.0)], "v2").reaction is None
    assert moments_of([], "v2").last_canary is None


def test_stages_add_up_to_the_whole():
    for one in (run(), run(evidence=99.0)):
        stages = [measure(one) for _, measure in STAGES]
        assert min(stages) >= 0
        assert sum(stages) == pytest.approx(WHOLE[1][1](one))


def test_a_spread_leaves_out_what_is_missing():
    assert spread([3.0, None, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert spread([None]) is None


@pytest.mark.parametrize(
    ("lasts", "held"), [([0.3, 0.5, 0.7], True), ([0.3, 0.7, 0.8], False), ([0.3, 0.5, 1.3], False)]
)
def test_the_bar_has_a_median_and_a_worst_case(lasts, held):
    scenario = Scenario("errors", "direct", [run(last_canary=100.0 + last) for last in lasts])
    assert bar(scenario)["held"] is held


def test_a_run_in_trouble_misses_the_bar_and_other_faults_have_none():
    assert bar(Scenario("errors", "direct", [run()], ["run 2: promoted"]))["held"] is False
    assert bar(Scenario("delay", "direct", [run()])) is None
    assert bar(Scenario("errors", "direct", [])) is None


def test_the_table_shows_medians_bars_and_trouble():
    scenarios = [
        Scenario("errors", "direct", [run(), run(last_canary=100.45)]),
        Scenario("crash", "prometheus", [run(evidence=None)], ["run 2: promoted"]),
    ]
    text = markdown(scenarios, {"date": "2026-01-01"})
    assert (
        "| errors, direct | 2 | 335 (335 .. 335) | 400 (350 .. 450) | 4 (4 .. 4) | held: median 600, worst 1200 |"
        in text
    )
    assert "| crash, prometheus | - | - | 30 (30 .. 30) |" in text
    assert "- crash, prometheus: run 2: promoted" in text
    assert "- date: 2026-01-01" in text


def test_figures_are_json():
    found = figures(Scenario("errors", "direct", [run()]))
    assert found["rolled_back"] == 1
    assert found["seconds"][WHOLE[1][0]] == {"median": 0.35, "min": 0.35, "max": 0.35}
    assert found["each"][0]["culprits"] == ("errors",)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2026-01-01T00:00:00.250000Z", 1767225600.25), (None, None), (12.5, 12.5)]
)
def test_times_of_the_record(text, seconds):
    assert epoch(text) == seconds


def test_figures_can_be_read_back():
    measured = Scenario("errors", "direct", [run(), run(200.0, last_canary=None)], ["run 3: never"])
    assert scenario_of(json.loads(json.dumps(figures(measured)))) == measured

"""What is told before a release starts, and what it is told from."""

import re

import pytest

from rollout.api.spec import VerdictPolicy
from rollout.api.status import Phase
from rollout.forecast.plan import Traffic, plan_of
from rollout.view.planned import plan_markdown, plan_text
from tests.rollout import samples

BUSY = Traffic(rps=100, error_rate=0.001)


def serving(**changed):
    return samples.promoted().model_copy(update={"stable": samples.STABLE, **changed})


def made(spec=None, status=None, traffic=BUSY):
    return plan_of("checkout", spec or samples.spec(), status or serving(), traffic)


def test_steps_in_time_and_pods():
    plan = made()
    assert [(step.weight, step.starts_after_seconds, step.canary_pods) for step in plan.steps] == [
        (5, 0.0, 1),
        (20, 60.0, 1),
        (50, 180.0, 2),
    ]
    assert plan.earliest_end_seconds == 600.0
    assert plan.peak_pods == 8
    assert (plan.image, plan.revision) == ("shop/checkout:v2", "checkout-60a9f2db")


def test_what_each_step_can_see():
    first, second, third = made().steps
    assert first.smallest_ratio > second.smallest_ratio > third.smallest_ratio > 1
    assert first.smallest_rate == pytest.approx(first.smallest_ratio * 0.001, rel=1e-3)
    assert first.full_failure_seconds < 1.0
    assert made().worst_case_failed_requests == third.full_failure_requests


def test_a_budget_bounds_the_worst_case():
    analysis = samples.spec().analysis.model_copy(update={"blast_budget": 5})
    plan = made(samples.spec().model_copy(update={"analysis": analysis}))
    assert plan.worst_case_failed_requests == 5.0


def test_little_traffic_is_warned_of():
    warnings = made(traffic=Traffic(rps=0.02, error_rate=0.001)).warnings
    assert any("step 1 cannot even see that every second answer fails" in each for each in warnings)
    assert any("the best step sees no fault at all; the policy wants 2 times excluded" in each for each in warnings)
    assert any(each.endswith("excluded: no hold of less than a day could") for each in warnings)
    assert any("the best step sees a failure rate 3.7 times" in each for each in made().warnings)


def test_the_hold_that_it_names_is_enough():
    [warned] = [each for each in made().warnings if "could with a hold of" in each]
    number, minutes = re.search(r"step (\d) \(50 %\) could with a hold of (\d+)m", warned).groups()
    steps = [{"weight": 5, "hold": "1m"}, {"weight": 20, "hold": "2m"}, {"weight": 50, "hold": f"{minutes}m"}]
    longer = made(samples.spec(strategy={"steps": steps}))
    assert number == "3"
    assert not [each for each in longer.warnings if "best step" in each]
    steps[2]["hold"] = f"{int(minutes) - 1}m"
    assert [each for each in made(samples.spec(strategy={"steps": steps})).warnings if "best step" in each]
    wire = [{"name": "errors", "kind": "errors", "source": "gateway", "tolerance": 2.5}]
    deaf = made(samples.spec(analysis={"signals": wire}))
    assert any("no hold could, while the signal tolerates as much" in each for each in deaf.warnings)


def test_much_traffic_is_not():
    spec = samples.spec(strategy={"steps": [{"weight": 50, "hold": "1h"}]})
    undecided = spec.analysis.model_copy(update={"undecided": VerdictPolicy()})
    spec = spec.model_copy(update={"analysis": undecided})
    assert made(spec, traffic=Traffic(5000, 0.01)).warnings == ()


def test_all_traffic_leaves_nothing_to_compare_with():
    spec = samples.spec(strategy={"steps": [{"weight": 100, "hold": "1m"}]})
    assert made(spec).steps[0].smallest_ratio is None
    told = "the step to 100 % leaves stable nothing to compare with: only gross faults are seen there"
    assert any(told in each for each in made(spec).warnings)
    assert not any(told in each for each in made().warnings)


def test_without_traffic_numbers():
    plan = plan_of("checkout", samples.spec(), serving())
    assert plan.steps[0].smallest_ratio is None
    assert plan.worst_case_failed_requests is None
    assert any("without --rps" in each for each in plan.warnings)


def test_without_an_errors_signal_nothing_is_said_of_errors():
    spec = samples.spec(analysis={"signals": [{"name": "crashes", "kind": "crashes", "source": "kubernetes"}]})
    assert made(spec).steps[0].smallest_ratio is None


def test_all_failures_count_together():
    def seen(*signals):
        return made(samples.spec(analysis={"signals": [*signals]})).steps[0].smallest_ratio

    errors = {"name": "errors", "kind": "errors", "source": "gateway"}
    more, crashes = {**errors, "name": "more"}, {"name": "crashes", "kind": "crashes", "source": "kubernetes"}
    assert seen(errors) == seen(errors, more) < seen(errors, crashes)


def test_without_signals_or_traffic():
    warnings = made(samples.spec(analysis={"signals": []})).warnings
    assert any("no signals are declared" in each for each in warnings)
    alone = plan_of("checkout", samples.spec(traffic=None), serving(), BUSY)
    assert alone.steps == ()
    assert any("without a share" in each for each in alone.warnings)


def test_a_first_release_has_no_bake_and_half_the_pods():
    plan = plan_of("checkout", samples.spec(), None, BUSY)
    assert (plan.earliest_end_seconds, plan.peak_pods, plan.refusals) == (0.0, 4, ())


@pytest.mark.parametrize("traffic", [BUSY, None])
def test_a_first_version_takes_no_steps_and_that_is_told(traffic):
    plan = plan_of("checkout", samples.spec(), None, traffic)
    assert (plan.steps, plan.worst_case_failed_requests) == ((), None)
    assert any(each.startswith("the first version takes no steps") for each in plan.warnings)
    assert not any("waits for" in each or "--rps" in each for each in plan.warnings), "no gate is before it"
    assert "| step |" not in plan_markdown(plan)
    assert "  step  " not in plan_text(plan)
    assert not any("first version" in each for each in made().warnings)


def test_what_would_stop_it():
    assert made(status=samples.rolled_back()).refusals == (
        "shop/checkout:v2 was taken back (errors); `release retry` tries it again; nothing starts before",
    )
    assert made(status=samples.promoted()).refusals == ("checkout-60a9f2db serves already: nothing would change",)
    paused = samples.stepping(paused={"at": 0, "by": "ann"})
    plan = made(status=paused)
    assert plan.refusals == ("paused by ann; `release resume` goes on; nothing starts before",)
    assert any("is under way and would be superseded" in each for each in plan.warnings)
    assert paused.phase is Phase.STEPPING


PLAN = """\
plan for checkout
  image:         shop/checkout:v2
  revision:      checkout-60a9f2db
  earliest end:  10m after the pods are ready, bake of 5m
  pods at most:  8
  expecting:     100 requests/s, 0.10% failing
"""


def test_as_text():
    text = plan_text(made())
    assert text.startswith(PLAN)
    assert "  1     5 %     1m        +0s   1" in text
    assert "warning: the step to 50 % waits for a person" in text
    assert "refused: " in plan_text(made(status=samples.rolled_back()))


def test_as_markdown():
    page = plan_markdown(made(status=samples.rolled_back()))
    assert page.startswith("### Release plan: checkout\n\n| | |\n| --- | --- |\n| image | shop/checkout:v2 |")
    assert "- **refused:** shop/checkout:v2 was taken back" in page
    assert "| 3 | 50 % | 2m, gate | +3m | 2 |" in page
    bare = plan_markdown(plan_of("checkout", samples.spec(traffic=None), serving()))
    assert "| step |" not in bare


def test_as_data():
    wire = made().wire()
    assert wire["traffic"] == {"rps": 100, "error_rate": 0.001}
    assert wire["steps"][0]["weight"] == 5


def test_an_old_name_is_told():
    told = "spec.record is the old name of spec.recording; write recording: true"
    assert told in made(samples.spec(record=True)).warnings
    assert told not in made(samples.spec(recording=True)).warnings
    assert told in plan_text(made(samples.spec(record=True)))

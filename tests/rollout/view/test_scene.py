"""What a person reads, word for word."""

import click
import pytest

from rollout.api.durations import about
from rollout.api.spec import VerdictPolicy
from rollout.api.status import (
    Outcome,
    Phase,
    Release,
    Status,
    Version,
)
from rollout.forecast.next_step import outlook
from rollout.view.changes import changes
from rollout.view.scene import describe, phase_of
from rollout.view.text import bar, coloured, columns, list_text, scene_text
from rollout.view.words import measured, number, percent, rate, ratio
from tests.rollout import samples

T = samples.T

STEPPING = """\
shop/checkout  Stepping 2/3  shop/checkout:v1 -> shop/checkout:v2
  weight:     20 % desired, 20 accepted, 19.7 observed
  asked for:  by ann: faster
  engine:     controller-1
  next:       50 %, behind a gate, in 1m26s

steps
  ✓ 1    5 % for 1m        ████████████  4.9 % seen, undecided
  ▶ 2   20 % for 2m        ███░░░░░░░░░  19.7 % seen, 34s of 2m
  · 3   50 % for 2m, gate  ░░░░░░░░░░░░

verdict  undecided: no difference seen yet
  signal   verdict    stable                  canary                  ratio   requests  ln e
  errors   undecided  0.11%                   0.20%                   0..6.1  1,500     0.41   3 of 1,500, 7 of 6,100
  crashes  good       0 crashes per pod-hour  0 crashes per pod-hour  0..∞    0         -0.20  no crash in 74 s

journal
  08:00:00 shop/checkout:v2 by ann: faster
  08:00:04 weight 5
  08:01:05 weight 20
"""

ROLLED_BACK = """\
shop/checkout  RolledBack  shop/checkout:v1 serves; shop/checkout:v2 was taken back
  asked for:        by ann: faster
  outcome:          rolled-back: errors: 20 of 40 failed, 0.11 % on stable
  reaction:         decided after 0.20 s, weight 0 written after 0.23 s, seen after 0.50 s
  excess failures:  19.9
  engine:           none has taken charge
  next:             shop/checkout:v2 was taken back (errors); `release retry` tries it again

steps
  ✓ 1    5 % for 1m        ████████████  4.9 % seen, undecided
  ✗ 2   20 % for 2m        ░░░░░░░░░░░░  19.7 % seen, bad
  · 3   50 % for 2m, gate  ░░░░░░░░░░░░
"""

UNKNOWN = """\
shop/checkout  Idle  nothing serves yet
  engine:  none has taken charge
  next:    starts as soon as an engine looks
"""


def text(status, now=T + 100):
    return click.unstyle(scene_text(describe("shop/checkout", samples.spec(), status, now)))


def test_in_flight():
    assert text(samples.stepping()) == STEPPING


def test_taken_back():
    assert text(samples.rolled_back()).startswith(ROLLED_BACK)


def test_nothing_known():
    assert text(Status()).startswith(UNKNOWN)


def headline(status):
    return describe("x", samples.spec(), status, T).headline


def test_headlines():
    baking = samples.stepping(phase=Phase.BAKING, stable=samples.CANARY, previous=samples.STABLE, canary=None)
    assert headline(baking) == "shop/checkout:v2 has all traffic, shop/checkout:v1 stands by"
    turning = samples.stepping(phase=Phase.ROLLING_BACK)
    assert headline(turning) == "shop/checkout:v2 is being taken back; shop/checkout:v1 serves"
    assert headline(samples.stepping(stable=None, phase=Phase.PREPARING)) == "shop/checkout:v2, the first version"
    assert headline(samples.promoted()) == "shop/checkout:v2 serves"
    nameless = samples.stepping(canary=Version(revision="checkout-3"))
    assert headline(nameless) == "shop/checkout:v1 -> checkout-3"


def test_a_pause_shows_in_the_phase():
    paused = samples.stepping(paused={"at": T, "by": "ann", "reason": "lunch"})
    assert phase_of(paused) == "Stepping 2/3 (paused)"
    assert outlook(samples.spec(), paused, T).text == "paused by ann: lunch; `release resume` goes on"
    nobody = samples.stepping(paused={"at": T})
    assert outlook(samples.spec(), nobody, T).text == "paused; `release resume` goes on"


@pytest.mark.parametrize(
    ("changed", "seconds", "told"),
    [
        ({}, 86.0, "50 %, behind a gate, in 1m26s"),
        ({"step": 0, "weight": {"desired": 5}}, 26.0, "20 % in 26s"),
        ({"step": 2, "weight": {"desired": 50}}, 86.0, "all traffic in 1m26s"),
        ({"step": 2}, None, "step 3 waits for `release promote`"),
        ({"step": 2, "gate_passed": 2}, None, "waits for the canary's pods, then 50 %"),
        ({"step": 3}, 0.0, "promotes now"),
        ({"verified_at": None}, 25.1, "waits until 20 % is seen; taken back in 25s if the route is refused"),
        (
            {"verified_at": None, "doubt": "no-traffic", "doubt_since": T + 70, "held_since": T + 70},
            1770.0,
            "holds for no-traffic;",
        ),
        ({"verified_at": None, "written_at": None}, 25.0, "waits until 20 % is seen; taken back in 25s if"),
        ({"phase": Phase.PREPARING, "step": 0}, 265.0, "waits for the canary's pods; taken back in 4m25s"),
        ({"phase": Phase.PREPARING, "stable": None}, 265.0, "waits for the canary's pods; taken back in 4m25s"),
        ({"phase": Phase.PREPARING, "step": 2}, None, "step 3 waits for `release promote`"),
        ({"phase": Phase.PROMOTING}, None, "waits for the pods that all traffic needs"),
        ({"phase": Phase.PROMOTING, "weight": {"desired": 100}}, 25.1, "waits until all traffic is seen"),
        ({"phase": Phase.BAKING}, 265.0, "the old version stays ready for 4m25s more"),
        ({"phase": Phase.ROLLING_BACK}, 30.0, "writes weight 0 until no request reaches the canary; over in 30s"),
        ({"withdrawn_at": T + 90}, 290.0, "20 % again when its pods are ready; taken back in 4m50s if they are not"),
        ({"doubt": "outage", "doubt_since": T + 90}, 290.0, "goes on when its pods are ready; taken back in 4m50s"),
        (
            {"phase": Phase.PREPARING, "doubt": "not-routed", "doubt_since": T + 90},
            50.0,
            "waits until the gateway knows",
        ),
        (
            {"phase": Phase.PREPARING, "doubt": "not-ready", "doubt_since": T + 90},
            290.0,
            "waits for the canary's pods;",
        ),
        (
            {"phase": Phase.PROMOTING, "doubt": "no-data", "doubt_since": T + 90, "held_since": T + 90},
            290.0,
            "holds for",
        ),
    ],
)
def test_the_next_decision(changed, seconds, told):
    next_one = outlook(samples.spec(), samples.stepping(**changed), T + 100)
    assert next_one.text.startswith(told)
    assert next_one.seconds == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("doubt", "told"),
    [
        ("no-traffic", "holds for no-traffic; taken back in 28m6s if that stays"),
        ("undecided", "holds for undecided"),
        ("strange", "holds for strange"),
    ],
)
def test_a_hold_in_doubt(doubt, told):
    held = samples.stepping(doubt=doubt, doubt_since=T + 186, held_since=T + 186)
    assert outlook(samples.spec(), held, T + 300).text == told


def test_verdicts_that_take_turns_do_not_prolong_a_hold():
    held = samples.stepping(doubt="no-data", doubt_since=T + 1900, held_since=T + 186)
    told = outlook(samples.spec(), held, T + 1900)
    assert told.text == "holds for no-data; taken back in 1m26s if that stays"


def test_a_hold_that_ends_well():
    spec = samples.spec()
    analysis = spec.analysis.model_copy(update={"undecided": VerdictPolicy(deadline="10m", then="go-on")})
    held = samples.stepping(doubt="undecided", doubt_since=T + 186, held_since=T + 186)
    told = outlook(spec.model_copy(update={"analysis": analysis}), held, T + 186)
    assert (told.text, told.seconds) == ("holds for undecided; goes on in 10m if that stays", 600.0)


def test_idle():
    assert outlook(samples.spec(), samples.promoted(), T).text == "nothing to do"
    behind = samples.promoted().model_copy(update={"desired_revision": "checkout-3"})
    assert outlook(samples.spec(), behind, T).text == "starts as soon as an engine looks"


def steps(records, **changed):
    status = samples.stepping(release=samples.release(steps=records), **changed)
    return describe("x", samples.spec(), status, T + 100).steps


def test_steps_on_their_way():
    fresh = samples.STEPS[1].model_copy(update={"accepted_at": None, "verified_at": None, "observed": None})
    assert steps([fresh])[1].told == "not verified yet"
    assert steps([fresh.model_copy(update={"accepted_at": T + 66})])[1].told == "accepted, not seen yet"
    assert steps([fresh.model_copy(update={"verified_at": T + 90})])[1].told == "10s of 2m"
    spec = samples.spec(strategy={"steps": [{"weight": 20, "hold": "0s"}]})
    at_once = samples.stepping(release=samples.release(steps=[samples.STEPS[0]]))
    assert describe("x", spec, at_once, T).steps[0].progress == 1.0


def test_a_verdict_without_a_reason_and_a_signal_without_numbers():
    scene = describe("x", samples.spec(), samples.stepping(analysis={"verdict": "no-data"}), T)
    assert scene.verdict == "no-data"
    scene = describe("x", samples.spec(), samples.stepping(analysis={"verdict": "x", "signals": [{"signal": "s"}]}), T)
    assert (scene.signals[0].canary, scene.signals[0].ratio, scene.signals[0].log_e) == ("-", "-", "-")


def test_a_service_without_traffic_has_no_steps_and_a_novel_is_cut():
    entry = {"at": T, "what": "x", "text": "x" * 999}
    status = samples.stepping(release=samples.release(journal=[entry]))
    scene = describe("x", samples.spec(traffic=None), status, T)
    assert scene.steps == ()
    assert len(scene.journal[0]) == 209


def test_what_never_had_traffic_has_no_reaction():
    aborted = samples.ended(Outcome.ABORTED, reaction={"decided_at": T + 1})
    facts = dict(describe("x", samples.spec(), samples.promoted().model_copy(update={"last": aborted}), T).facts)
    assert "reaction" not in facts


def test_an_abort_has_no_evidence():
    aborted = samples.ended(Outcome.ABORTED, reaction={"decided_at": T + 1, "written_at": T + 1.05})
    facts = dict(describe("x", samples.spec(), samples.promoted().model_copy(update={"last": aborted}), T).facts)
    assert facts["reaction"] == "decided after 0.00 s, weight 0 written after 0.05 s"


def test_a_list():
    made = list_text(
        [samples.manifest(status=samples.stepping()), samples.manifest("new")], T + 125, all_namespaces=True
    )
    assert click.unstyle(made) == (
        "NAMESPACE  NAME      PHASE         WEIGHT   STABLE            CANARY            VERDICT    SINCE\n"
        "shop       checkout  Stepping 2/3  20/19.7  shop/checkout:v1  shop/checkout:v2  undecided  1m\n"
        "shop       new       Idle          -        -                 -                 -          -\n"
    )


def test_changes():
    before, after = samples.stepping(), samples.rolled_back()
    assert changes(None, before, T) == ["08:00:00 Stepping 2/3"]
    assert changes(before, before, T) == []
    seen = samples.stepping(weight={"desired": 20, "accepted": 20, "observed": 21})
    assert changes(before, seen, T) == ["08:00:00 21 % observed, 20 % desired"]
    told = changes(before, after, T)
    assert told[0] == "08:00:00 Stepping 2/3 -> RolledBack"
    assert told[1].startswith("08:00:00 verdict bad: errors bad, canary 50%, stable 0.11%, ln e 7.10; crashes good")
    new = samples.release(journal=[*samples.JOURNAL, {"at": T + 9, "what": "paused", "text": "paused by ann"}])
    assert changes(before, samples.stepping(release=new), T) == ["08:00:09 paused by ann"]
    down = samples.stepping(analysis={"verdict": "source-down", "reason": "no answer"})
    assert changes(before, down, T) == ["08:00:00 verdict source-down: no answer"]


def test_a_release_that_ended_is_not_told_twice():
    last = Release.model_validate(samples.release().model_dump() | {"outcome": "promoted"})
    assert changes(samples.stepping(), Status(phase=Phase.STEPPING, step=1, steps=3, last=last), T) == []


def test_words():
    assert [percent(value) for value in (None, 20.0, 19.97, 19.7)] == ["-", "20", "20", "19.7"]
    assert [rate(value) for value in (None, 0.0011, 0.5)] == ["-", "0.11%", "50%"]
    assert [measured(value, "gauge") for value in (None, 0.8, 500)] == ["-", "0.8", "500"], "never percent"
    assert [measured(value, "errors") for value in (0.8, 0.0011, 1)] == ["80%", "0.11%", "100%"]
    assert measured(0.8, "latency") == "80%"
    assert [measured(value, "crashes") for value in (0.0, 1 / 1800, 2)] == [
        "0 crashes per pod-hour",
        "2 crashes per pod-hour",
        "7,200 crashes per pod-hour",
    ]
    assert measured(1 / 3600, "events") == "1 events per pod-hour"
    assert measured(0.8, "") == measured(0.8, None) == measured(0.8, {}) == "0.8", "bare where nobody knows"
    assert [number(value) for value in (None, 1500, 0.12345)] == ["-", "1,500", "0.1235"]
    assert [ratio(*ends) for ends in ((None, None), (0.5, None), (0.5, 2))] == ["-", "0.5..∞", "0.5..2"]
    assert [about(value) for value in (-1, 0.25, 61, 7260)] == ["0s", "200ms", "1m1s", "2h1m"]


def test_columns_and_colours():
    assert columns([]) == []
    assert columns([["a", "b"], ["ccc", ""]]) == ["a    b", "ccc"]
    assert coloured("bad: x") == "\x1b[31mbad:\x1b[0m x"
    assert coloured("") == ""
    assert (bar(0.0), bar(1.0)) == ("░" * 12, "█" * 12)


def facts(status, now=T + 100):
    return dict(describe("x", samples.spec(), status, now).facts)


def test_what_is_waited_for_is_told_while_it_is_waited_for():
    waiting = {"reason": "0 of 1 canary pods are ready: exceeded quota: pods=4", "since": T + 70, "until": T + 130}
    assert facts(samples.stepping(waiting=waiting))["waits"] == f"{waiting['reason']} (for 30s, 30s left)"
    gate = {"reason": "step 3 waits for `release promote`", "since": T + 70}
    assert facts(samples.stepping(waiting=gate))["waits"] == "step 3 waits for `release promote` (for 30s)"
    assert "waits" not in facts(samples.rolled_back().model_copy(update={"waiting": None}))


def test_what_could_not_be_read_and_what_is_left_of_a_rollback_is_told():
    wrong = {
        "type": "SpecValid",
        "status": "False",
        "reason": "NotInForce",
        "message": "spec.x: no",
        "lastTransitionTime": T,
    }
    assert facts(samples.stepping(conditions=[wrong]))["note"] == "spec.x: no"
    last = samples.ended(Outcome.ROLLED_BACK, incomplete="requests still reach the canary")
    assert facts(samples.rolled_back().model_copy(update={"last": last}))["incomplete"] == last.incomplete


def test_versions_that_differ_in_configuration_only_are_told_apart():
    same = Version(revision="checkout-99999999", image=samples.STABLE.image)
    assert headline(samples.stepping(canary=same)) == "shop/checkout:v1 (11111111) -> shop/checkout:v1 (99999999)"
    row = list_text([samples.manifest(status=samples.stepping(canary=same))], T, all_namespaces=False)
    assert "shop/checkout:v1 (99999999)" in row


def test_a_first_version_that_was_taken_back():
    first = samples.rolled_back().model_copy(update={"stable": None})
    assert headline(first) == "nothing serves yet; shop/checkout:v2 was taken back"
    turning = samples.stepping(phase=Phase.ROLLING_BACK, stable=None)
    assert headline(turning) == "shop/checkout:v2 is being taken back; nothing serves yet"


def test_words_of_the_judge_that_are_no_words_of_the_judge():
    odd = {
        "verdict": "good",
        "signals": [3, {"signal": "errors", "log_e": None, "canary_rate": "much", "ratio_low": {}}],
    }
    scene = describe("x", samples.spec(), samples.stepping(analysis=odd), T)
    assert [(line.name, line.log_e, line.canary) for line in scene.signals] == [("errors", "-", "-")]
    assert describe("x", samples.spec(), samples.stepping(analysis={"verdict": "x", "signals": 3}), T).signals == ()


def test_watching_tells_what_is_waited_for_once():
    def unready(count, problem):
        waiting = {"reason": f"{count} of 2 canary pods are ready: {problem}", "since": T, "until": T + 60}
        return samples.stepping(phase=Phase.PREPARING, doubt="not-ready", waiting=waiting)

    before = samples.stepping(phase=Phase.PREPARING)
    told = changes(before, unready(0, "pulling"), T)
    assert told == ["08:00:00 waits: 0 of 2 canary pods are ready: pulling (1m left)"]
    assert changes(unready(0, "pulling"), unready(1, "pulling"), T) == []
    assert changes(unready(1, "pulling"), unready(1, "quota"), T) != []

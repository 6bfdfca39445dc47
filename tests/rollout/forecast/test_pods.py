"""What a plan says of stable's pods: where it knows it from, what it sees then, and what more canary pods bring."""

import dataclasses
import math

import numpy as np
import pytest

from rollout.forecast.plan import Traffic, plan_of
from rollout.forecast.pods import assumed, said, shown_by
from rollout.records.recording import RecordedLook, Recording
from rollout.signals.looks import Arm, PodLook
from rollout.view.planned import plan_markdown, plan_text
from tests.rollout import samples

BUSY = Traffic(rps=2000, error_rate=0.01)


def serving():
    return samples.promoted().model_copy(update={"stable": samples.STABLE})


def made(differ, traffic=BUSY, spec=None):
    return plan_of("checkout", spec or samples.spec(), serving(), traffic, differ=differ)


def recorded(spread, looks=120, pods=9, wander=0.0, failing=0.02):
    """History of pods whose log rates are apart by this, for good, and by `wander` for some minutes."""
    rng = np.random.default_rng(7)
    lasting, now, kept = spread * rng.standard_normal(pods), wander * rng.standard_normal(pods), 0.95
    history = []
    for k in range(looks):
        now = kept * now + wander * math.sqrt(1 - kept**2) * rng.standard_normal(pods)
        failed = rng.binomial(6000, failing * np.exp(lasting + now))
        each = {f"p{i}": PodLook(Arm.STABLE, 900, 15.0, 6000, {"5xx": int(failed[i])}) for i in range(pods)}
        history.append(RecordedLook(15.0 * k, "history", each))
    return Recording(15.0, (), 0.1, tuple(history))


def test_what_is_seen_and_what_is_not_however_many_requests_there_are():
    pods = made(said(0.1, 4)).pods
    assert 1 < pods.smallest_ratio_ever < pods.smallest_ratio
    assert pods.smallest_ratio_ever < made(said(0.3, 4)).pods.smallest_ratio_ever
    assert [each.canary_pods for each in pods.strays] == [1, 2, 4]
    assert pods.strays[0].ratio > pods.strays[1].ratio > pods.strays[2].ratio > 1


def test_without_traffic_only_the_bound_is_told():
    pods = made(said(0.1, 4), traffic=None).pods
    assert pods.smallest_ratio is None
    assert pods.smallest_ratio_ever == pytest.approx(made(said(0.1, 4)).pods.smallest_ratio_ever, rel=0.1)


def test_nothing_is_told_where_nobody_asked_or_nothing_that_fails_is_judged():
    crashes = samples.spec(analysis={"signals": [{"name": "crashes", "kind": "crashes", "source": "kubernetes"}]})
    all_at_once = samples.spec(strategy={"steps": [{"weight": 100, "hold": "1m"}]})
    assert made(None).pods is None
    assert made(assumed(), spec=crashes).pods is None
    assert made(assumed(), spec=all_at_once).pods is None
    assert plan_of("checkout", samples.spec(), None, BUSY, differ=assumed()).pods is None


def test_pods_that_differ_by_what_the_policy_wants_excluded_are_warned_of():
    [told] = [each for each in made(said(0.3, 4)).warnings if "pods differ" in each]
    assert told.startswith("stable's pods differ by 30 %: nothing below ")
    assert told.endswith("longer holds help, and pods that are more alike (one kind of node, CPU of their own)")
    assert "the policy wants 2 times excluded" in told
    assert not [each for each in made(said(0.03, 9)).warnings if "pods differ" in each]
    [blind] = [each for each in made(said(3.0, 4)).warnings if "pods differ" in each]
    assert "no fault is seen in these steps, however many requests there are" in blind


def test_in_words():
    text = plan_text(made(said(0.1, 4)))
    pods = made(said(0.1, 4)).pods
    assert "  pods differ:   by 10 % (as --spread says)\n" in text
    ever, now = (f"{each:.2g}x and more" for each in (pods.smallest_ratio_ever, pods.smallest_ratio))
    assert (
        f"  sees then:     {ever}, all steps together, however many requests there are; {now} at that traffic\n" in text
    )
    percent = [f"{100 * (each.ratio - 1):.2g} % with {each.canary_pods}" for each in pods.strays]
    assert f"by their luck alone one healthy canary in 100 fails more by {', '.join(percent)} of them\n" in text
    assert "at that traffic" not in plan_text(made(said(0.1, 4), traffic=None))
    assert "no fault, all steps together, however many" in plan_text(made(said(3.0, 4)))
    assert "no fault at that traffic" in plan_text(made(said(0.1, 4), traffic=Traffic(0.001, 0.01)))
    assert "| pods differ | by 30 % (assumed: say --spread or --recording) |" in plan_markdown(made(assumed()))
    assert made(said(0.1, 4)).wire()["pods"]["spread"] == 0.1


def test_a_recording_tells_how_far_pods_are_apart():
    near, far = (shown_by(recorded(spread), samples.spec(), "k3x9.jsonl") for spread in (0.02, 0.4))
    assert near.source == far.source == "as k3x9.jsonl shows"
    assert near.known.spread < 0.1
    assert far.known.spread == pytest.approx(0.4, rel=0.5)
    assert near.known.wander < 0.05


def test_a_recording_tells_what_comes_and_goes():
    differ = shown_by(recorded(0.02, looks=240, wander=0.3), samples.spec(), "k3x9.jsonl")
    assert differ.known.wander == pytest.approx(0.3, rel=0.4)
    assert 60 < differ.known.wander_seconds < 1500
    assert " % of it for about " in plan_text(made(differ))


def test_a_recording_tells_what_places_do():
    def placed(slow):
        plain, rng = recorded(0.02, failing=0.01), np.random.default_rng(8)
        return dataclasses.replace(plain, looks=tuple(_somewhere(look, slow, rng) for look in plain.looks))

    apart, alike = (shown_by(placed(slow), samples.spec(), "k3x9.jsonl") for slow in (2.0, 1.0))
    assert (alike.places, "places" in plan_text(made(alike))) == ("", False)
    assert apart.known.spread < 0.5 * shown_by(_nowhere(placed(2.0)), samples.spec(), "k3x9.jsonl").known.spread
    told = next(line for line in plan_text(made(apart)).splitlines() if "places:" in line)
    assert "zones differ by" in told
    assert "held against stable's pods of its zone, so let it run in a, b and c; elsewhere a healthy one may be" in told
    assert made(apart).wire()["pods"]["places"] == apart.places


def _somewhere(look, slow, rng):
    """A look of pods in three zones, the first of which fails so many times as often."""
    pods = {
        name: dataclasses.replace(
            pod,
            zone="abc"[at % 3],
            errors={"5xx": int(rng.binomial(6000, 0.01 * slow))} if at % 3 == 0 else pod.errors,
        )
        for at, (name, pod) in enumerate(look.pods.items())
    }
    return dataclasses.replace(look, pods=pods)


def _nowhere(recording):
    looks = [
        dataclasses.replace(look, pods={name: dataclasses.replace(pod, zone="") for name, pod in look.pods.items()})
        for look in recording.looks
    ]
    return dataclasses.replace(recording, looks=tuple(looks))


def test_a_short_recording_says_so_and_one_of_nothing_tells_nothing():
    short = shown_by(recorded(0.1, looks=10), samples.spec(), "k3x9.jsonl")
    assert short.source == "as k3x9.jsonl shows, too short to be sure"
    assert shown_by(recorded(0.1, pods=1), samples.spec(), "k3x9.jsonl") is None
    assert shown_by(recorded(0.1, failing=0.0), samples.spec(), "k3x9.jsonl") is None
    crashes = samples.spec(analysis={"signals": [{"name": "crashes", "kind": "crashes", "source": "kubernetes"}]})
    assert shown_by(recorded(0.1), crashes, "k3x9.jsonl") is None

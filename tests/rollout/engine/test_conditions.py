"""What `kubectl wait` is told."""

from __future__ import annotations

from dataclasses import replace

from rollout.api.status import Status, Waiting
from rollout.decide.context import Context
from rollout.decide.observation import Observation
from rollout.engine.conditions import conditions_of
from rollout.judge.verdict.verdicts import Assessment, Verdict
from tests.rollout.samples import CANARY, T, promoted, rolled_back, spec, stepping

SEEN = Observation(CANARY.revision, CANARY.image, 3)
NOW = T + 100


def said(status: Status, seen: Observation = SEEN) -> dict[str, tuple[str, str, str]]:
    made = conditions_of(Context(spec(), status, seen, NOW))
    return {each.type: (each.status, each.reason, each.message) for each in made}


def test_at_rest():
    told = said(promoted())
    assert told["Ready"] == ("True", "Serving", "shop/checkout:v2 serves")
    assert [name for name, (status, _, _) in told.items() if status == "True"] == [
        "Ready",
        "SpecValid",
        "StatusReadable",
        "Undisturbed",
    ]


def test_taken_back():
    assert said(rolled_back())["Refused"] == ("True", "TakenBack", "errors")


def test_waiting_says_what_the_status_says_in_a_word_and_a_sentence():
    waiting = Waiting(reason="1 of 2 canary pods are ready", since=T)
    assert said(stepping(waiting=waiting))["Waiting"] == ("True", "Stepping", waiting.reason)
    assert said(stepping(waiting=waiting, doubt="no-traffic"))["Waiting"][1] == "NoTraffic"
    assert said(stepping(waiting=waiting, withdrawn_at=T))["Waiting"][1] == "PlannedEvent"
    assert said(stepping(waiting=waiting, step=2))["Waiting"][1] == "Gate"
    assert said(stepping(waiting=waiting, paused={"at": T}))["Waiting"][1] == "Paused"
    assert said(stepping())["Waiting"] == ("False", "NotWaiting", "")


def test_judged_only_by_what_was_said_in_this_step():
    good = Assessment(Verdict.NO_DATA, 0.0, (), 0.0, None, "fine")
    heard = replace(SEEN, assessment=good, assessed_at=T + 99)
    assert said(stepping(), heard)["Judged"][:2] == ("True", "NoData")
    assert said(stepping(), replace(heard, assessed_at=T + 65))["Judged"][:2] == ("False", "NotHeard")
    assert said(promoted(), heard)["Judged"][:2] == ("False", "NothingToJudge")


def test_what_could_not_be_read_is_told():
    notes = (
        "spec.analysis.signals.0.pattern: unbalanced; the last valid spec stays in force",
        "status.epoch: Input should be a valid integer: left out",
        "Deployment shop/legacy carries this release's labels and is not its own",
    )
    told = said(stepping(), replace(SEEN, notes=notes))
    assert told["SpecValid"] == ("False", "NotInForce", notes[0])
    assert told["StatusReadable"] == ("False", "LeftOut", notes[1])
    assert told["Undisturbed"] == ("False", "Found", notes[2])


def test_a_condition_keeps_the_time_of_its_last_change():
    first = conditions_of(Context(spec(), stepping(), SEEN, NOW))
    again = conditions_of(Context(spec(), stepping(conditions=first), SEEN, NOW + 50))
    assert {each.last_transition_time for each in again} == {NOW}
    waiting = stepping(conditions=first, waiting=Waiting(reason="x", since=NOW))
    changed = {each.type: each for each in conditions_of(Context(spec(), waiting, SEEN, NOW + 50))}
    assert changed["Waiting"].last_transition_time == NOW + 50

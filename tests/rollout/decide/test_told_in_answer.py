"""Every word of a person has its answer, and what it changed is in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rollout.api.status import Command, Phase
from tests.rollout.decide.simulation import Simulation, serving, stepping_at
from tests.rollout.decide.test_rollbacks import baking
from tests.rollout.decide.told import gated, gone_bad, said, taken_back
from tests.rollout.decide.world import revision

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWERS: dict[str, tuple[Callable[[], Simulation], str, str, str]] = {
    "pause": (lambda: stepping_at(20), "pause", "paused", "paused: paused by ann"),
    "pause again": (lambda: said(stepping_at(20), "pause"), "pause", "it is paused already", ""),
    "resume": (lambda: said(stepping_at(20), "pause"), "resume", "resumed", "resumed: resumed by ann"),
    "resume of nothing": (lambda: stepping_at(20), "resume", "it is not paused", ""),
    "a gate": (gated, "promote", "gate of step 2 opened", "gate: step 2 opened by ann"),
    "a step": (lambda: stepping_at(20), "promote", "promoting in full", "promoted-early: promoted in full by ann"),
    "a bake": (baking, "promote", "bake ended", "bake-ended: bake ended by ann"),
    "nothing to promote": (serving, "promote", "nothing to promote: the phase is Idle", ""),
    "abort": (lambda: stepping_at(20), "abort", "rolling back", "aborted: aborted by ann"),
    "abort again": (
        lambda: gone_bad(stepping_at(20), 0.25),
        "abort",
        "nothing to abort: it is being taken back already",
        "",
    ),
    "nothing to abort": (serving, "abort", "nothing to abort: the phase is Idle", ""),
    "retry": (taken_back, "retry", f"{revision('v2')} will be tried again", ""),
    "nothing to retry": (serving, "retry", f"{revision('v1')} was not refused: nothing to retry", ""),
    "a word nobody knows": (serving, "sing", "unknown verb 'sing': abort, pause, promote, resume, retry", ""),
}


@pytest.mark.parametrize("word", ANSWERS)
def test_every_word_has_its_answer_and_what_it_changed_is_in_the_journal(word: str):
    begin, verb, answer, entry = ANSWERS[word]
    made = begin()
    before = len(made.journal())
    said(made, verb)
    assert made.status.command_answer == answer
    assert entry in [*made.journal()[before:], ""]


def test_why_is_told_behind_who():
    assert said(stepping_at(20), "abort", reason="too slow").journal()[-1] == "aborted: aborted by ann: too slow"


def test_a_word_on_a_spec_of_before_is_answered_and_changes_nothing():
    made = stepping_at(20)
    made.world.command = Command(id="x" * 300, verb="abort", generation=1)
    made.look()
    assert made.status.phase is Phase.STEPPING
    assert made.status.command_answer == "it was said of an earlier spec, so there is nothing to do: say it again"
    assert made.status.command == made.status.commands[-1]
    assert len(made.status.command) <= 100


def test_a_word_on_the_spec_that_a_release_began_with_holds_though_it_was_edited_since():
    made = stepping_at(20)
    began = made.status.release.generation
    made.world.want("v2", strategy={"bake": 21})
    made.world.command = Command(id="c", verb="abort", generation=began)
    made.look()
    assert made.status.command_answer == "rolling back"


def test_a_word_on_an_earlier_spec_than_there_is_holds_for_no_release_that_is_to_come():
    made = serving()
    made.world.want("v1", strategy={"bake": 21})
    made.world.command = Command(id="c", verb="pause", generation=made.world.generation - 1)
    made.look()
    assert made.status.paused is None
    made.world.command = Command(id="d", verb="pause", generation=made.world.generation)
    made.look()
    assert made.status.paused is not None

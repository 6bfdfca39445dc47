"""The table is whole: every phase is entered and left, and the drawing shows all of it."""

from __future__ import annotations

from pathlib import Path

from rollout.api.status import Phase
from rollout.decide.phases import PHASES
from rollout.decide.transitions import ALLOWED, TRANSITIONS, mermaid


def test_every_phase_can_be_entered_and_left():
    assert {source for source, _ in ALLOWED} == set(Phase) == {target for _, target in ALLOWED}
    assert set(PHASES) == set(Phase)


def test_every_phase_but_the_restful_ones_can_turn_round():
    for phase in set(Phase) - {Phase.IDLE, Phase.ROLLED_BACK, Phase.ROLLING_BACK}:
        assert (phase, Phase.ROLLING_BACK) in ALLOWED


def test_the_drawing_shows_every_transition_once():
    lines = mermaid().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert len(lines) == len(TRANSITIONS) + 2
    assert len(ALLOWED) == len(TRANSITIONS)


def test_the_documentation_shows_the_machine_as_it_is():
    text = Path(__file__).parents[3].joinpath("docs", "how-to", "releases.md").read_text()
    assert f"```mermaid\n{mermaid()}\n```" in text

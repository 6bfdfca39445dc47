"""A release that its engine has no room for waits in Preparing: nothing is done for it, and no deadline runs."""

from __future__ import annotations

from dataclasses import replace

from rollout.api.status import Command, Phase, Status
from rollout.decide.actions import EnsureRevision
from rollout.decide.decide import decide
from tests.rollout.decide.simulation import Simulation, serving

FULL = "no room: this engine carries 200 releases, of 200 at most"


def one_look(it: Simulation, status: Status, after: float = 0.0, no_room: str = FULL, **rest: object):
    seen = replace(it.world.observe(status, None), no_room=no_room, **rest)
    return decide(it.world.spec, status, seen, it.world.now + after)


def waiting_release() -> tuple[Simulation, Status]:
    it = serving()
    it.world.want("v2")
    status, actions = one_look(it, it.status)
    assert not [each for each in actions if isinstance(each, EnsureRevision)]
    return it, status


def test_it_waits_in_preparing_and_says_why():
    _, status = waiting_release()
    assert status.phase is Phase.PREPARING
    assert status.waiting is not None
    assert (status.waiting.reason, status.waiting.until) == (FULL, None)


def test_no_deadline_runs_however_long_it_waits():
    it, status = waiting_release()
    for minutes in range(1, 120, 10):
        status, actions = one_look(it, status, 60.0 * minutes)
        assert not [each for each in actions if isinstance(each, EnsureRevision)]
    assert (status.phase, status.doubt) == (Phase.PREPARING, "")
    status, _ = one_look(it, status, 7200.0, no_room="")
    status, _ = one_look(it, status, 7201.0, no_room="")
    assert status.phase is Phase.PREPARING, "its pods have the whole deadline, from now on"


def test_when_there_is_room_it_begins():
    it, status = waiting_release()
    _, actions = one_look(it, status, 60.0, no_room="")
    assert [each for each in actions if isinstance(each, EnsureRevision)]


def test_it_can_be_aborted_while_it_waits():
    it, status = waiting_release()
    abort = Command(id="1", verb="abort", by="alice")
    status, _ = one_look(it, status, 1.0, command=abort)
    assert status.phase is not Phase.PREPARING


def test_a_first_version_waits_as_well():
    it = serving()
    first = Status(phase=Phase.IDLE)
    status, actions = one_look(it, first)
    assert (status.phase, status.waiting and status.waiting.reason) == (Phase.PREPARING, FULL)
    assert not [each for each in actions if isinstance(each, EnsureRevision)]

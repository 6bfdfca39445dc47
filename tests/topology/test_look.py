"""One look: what was made is kept as it is made, what is gone is forgotten, and who may no longer write does not."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from kube.errors import StaleHolderError
from tests.topology.declared import item, spec
from topology.api.status import Reason, State
from topology.engine.look import AT_ONCE, look
from topology.plan import Found
from topology.systems.memory import MemorySystem
from topology.systems.system import StepError, UnreachableError


class Lease:
    """Is lost after so many questions."""

    def __init__(self, lasts=10_000):
        self.lasts = lasts

    async def may(self):
        self.lasts -= 1
        if self.lasts < 0:
            raise StaleHolderError("somebody else")


class Memory:
    """What was kept, each time."""

    def __init__(self):
        self.kept = []

    async def keep(self, made):
        self.kept.append(set(made))


MANY = [item("account", f"a{number}") for number in range(2 * AT_ONCE + 5)]


async def test_what_is_made_is_kept_on_the_way():
    memory = Memory()
    done = await look(MemorySystem(), spec(*MANY), set(), Lease().may, memory.keep)
    assert [len(each) for each in memory.kept] == [AT_ONCE, 2 * AT_ONCE, len(MANY)]
    assert memory.kept[-1] == done.made == {each.label for each in MANY}


async def test_who_holds_the_lease_no_more_writes_nothing_more():
    system, memory = MemorySystem(), Memory()
    with pytest.raises(StaleHolderError):
        await look(system, spec(*MANY), set(), Lease(3).may, memory.keep)
    assert len(system.items) == 3
    assert memory.kept == [{each.label for each in MANY[:3]}]


async def test_what_others_deleted_and_made_anew_is_theirs():
    system, memory = MemorySystem(), Memory()
    gone = await look(system, spec(prune=True), {"wire b"}, Lease().may, memory.keep)
    assert gone.made == set()
    system.items["wire b"] = Found("wire", {"to": "a"}, "b")
    done = await look(system, spec(prune=True), gone.made, Lease().may, memory.keep)
    assert (system.items.keys(), done.items) == ({"wire b"}, [])


async def test_what_is_written_is_in_the_log_with_its_reason_and_no_secret():
    system = MemorySystem(items={"box a": Found("box", {"shape": "round", "room": 1, "password": "old"}, "a")})
    with capture_logs() as lines:
        await look(
            system, spec(item("box", "a", shape="round", room=3, password="new")), set(), Lease().may, Memory().keep
        )
    (line,) = lines
    assert (line["op"], line["item"], line["reason"]) == ("change", "box a", "room 1 → 3, password")


class Choosy(MemorySystem):
    """Refuses one item, and is lost at another."""

    async def act(self, step):
        if step.label == "account a1":
            raise StepError("no such thing")
        if step.label == "account a9":
            raise UnreachableError("gone")
        return await super().act(step)


async def test_one_that_the_system_refuses_holds_up_no_other():
    done = await look(Choosy(), spec(*MANY[:4]), set(), Lease().may, Memory().keep)
    assert [each.state for each in done.items] == [State.READY, State.FAILED, State.READY, State.READY]
    assert (done.reason, done.items[1].reason) == (Reason.FAILED, "no such thing")
    assert done.message == "account a1: no such thing; see what the system says"


async def test_a_system_that_is_lost_on_the_way_is_not_called_well_and_what_was_made_is_kept():
    memory = Memory()
    with pytest.raises(UnreachableError):
        await look(Choosy(), spec(*MANY[5:12]), set(), Lease().may, memory.keep)
    assert memory.kept == [{f"account a{number}" for number in range(5, 9)}]


class Forgetful(MemorySystem):
    """Takes every change and keeps none."""

    async def act(self, step):
        self.log.append(step)
        return False


async def test_what_does_not_become_true_waits_and_is_not_tried_for_ever():
    system = Forgetful()
    done = await look(system, spec(MANY[0]), set(), Lease().may, Memory().keep)
    assert (done.reason, len(system.log)) == (Reason.WAITING, 3)

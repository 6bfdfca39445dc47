"""Whatever happens to the command, and whenever: waves keep their order, nothing goes twice, a stop is a stop."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from review.promotion.waves.state import read_state
from tests.review.promotion.waves.pretended import (
    BACK,
    DONE,
    Fate,
    Killed,
    Place,
    command,
    in_virtual_time,
    names,
    plan_of,
)

FATES = st.builds(Fate, st.floats(0, 50), st.sampled_from([DONE, DONE, DONE, DONE, BACK]))
SHAPES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40)), min_size=1, max_size=3)


@st.composite
def situations(draw):
    """A plan and what becomes of each of its targets."""
    shape = draw(SHAPES)
    contexts = iter("abcdefghi")
    plan = plan_of(*(([next(contexts) for _ in range(count)], bake) for count, bake in shape))
    return plan, {name: draw(FATES) for wave in names(plan) for name in wave}


def in_order(place, plan):
    """No apply of a wave began before every release of the wave before had baked, and its own time had passed."""
    begun = dict(reversed(place.begun))
    waves = names(plan)
    for index in range(1, len(waves)):
        for name in waves[index]:
            if name in begun:
                ready = max(place.baked_at(each) for each in waves[index - 1]) + plan.waves[index - 1].bake
                assert begun[name] >= ready - 1e-6
                assert all(place.fates[each].ending is DONE for each in waves[index - 1])


async def uninterrupted(plan, fates):
    place, told = Place(fates), []
    code = await command(place, plan, told.append)
    assert len(set(told)) == len(told), "each thing is done once"
    return code, place


@given(situations())
def test_waves_go_in_order_and_stop_at_the_first_that_ends_badly(situation):
    plan, fates = situation
    code, place = in_virtual_time(uninterrupted(plan, fates))
    in_order(place, plan)
    bad = [name for wave in names(plan) for name in wave if fates[name].ending is BACK]
    assert code == (7 if bad else 0)
    assert len(place.begun) == len(place.applied)
    state = read_state(place.kept, "")
    assert state.done is not bool(bad)
    assert (state.halted.code if state.halted else 0) == code


@given(situations(), st.lists(st.integers(1, 60), min_size=1, max_size=3))
def test_killed_anywhere_and_gone_on_with_it_ends_the_same(situation, deaths):
    plan, fates = situation

    async def lives():
        place, lives = Place(fates), 0
        for death in (*deaths, -1):
            place.moments, place.kill_at = 0, death
            try:
                code = await command(place, plan)
            except Killed:
                lives += 1
                await asyncio.sleep(7)
            else:
                break
        return code, place, lives

    whole, undisturbed = in_virtual_time(uninterrupted(plan, fates))
    code, place, lost = in_virtual_time(lives())
    assert code == whole
    in_order(place, plan)
    assert len(place.begun) <= len(place.applied) + lost, "applied again only where it was not known to be applied"
    if whole == 0:
        assert place.applied.keys() == undisturbed.applied.keys()


@given(situations(), st.floats(0, 120))
def test_after_a_stop_nothing_begins_and_a_resume_ends_the_same(situation, at):
    plan, fates = situation

    async def stopped():
        place = Place(fates)
        running = asyncio.create_task(command(place, plan))
        await asyncio.sleep(at)
        place.stop = "stopped by ann"
        code = await running
        before = list(place.begun)
        ended = await command(place, plan)
        return place, code, before, ended

    whole, _ = in_virtual_time(uninterrupted(plan, fates))
    place, code, before, ended = in_virtual_time(stopped())
    assert code in {9, whole}
    assert all(when <= at + 1e-6 for _, when in before)
    assert ended == whole
    in_order(place, plan)
    assert len(place.begun) == len(place.applied)

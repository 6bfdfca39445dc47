"""What an engine does when it has too much to do."""

from __future__ import annotations

import asyncio

import pytest

from rollout.api.status import Phase, Status
from rollout.engine.load import (
    DOWN,
    GAP_SECONDS,
    MOST_GAP_SECONDS,
    MOST_SETTLED,
    MOST_YOUNG,
    TAKEN_OVER_AT_ONCE,
    UP,
    Load,
)

PREPARING, STEPPING, IDLE = (Status(phase=phase) for phase in (Phase.PREPARING, Phase.STEPPING, Phase.IDLE))


def key(name: object) -> tuple[str, str]:
    return "shop", str(name)


def ticks(load: Load, count: int, busy: float, lag: float = 0.0) -> None:
    for _ in range(count):
        load.note(busy, lag)


def test_settled_steps_are_read_less_often_before_young_ones_are():
    load = Load()
    assert (load.stretch(young=True), load.stretch(young=False)) == (1.0, 1.0)
    while load.stretch(young=True) == 1.0:
        before = load.stretch(young=False)
        load.note(1.0, 0.0)
    assert before > MOST_SETTLED / 1.2
    ticks(load, 100, 1.0)
    assert (load.stretch(young=True), load.stretch(young=False)) == (MOST_YOUNG, MOST_SETTLED)


def test_when_it_is_calm_everything_is_read_as_often_as_before():
    load = Load()
    ticks(load, 100, 1.0)
    ticks(load, 200, 0.3)
    assert load.stretch(young=False) == 1.0


def test_one_busy_moment_changes_nothing():
    load = Load()
    ticks(load, 20, 0.3)
    ticks(load, 2, 1.0)
    assert load.level == 1.0


def test_a_thread_that_is_late_without_computing_has_too_much_to_do_as_well():
    load = Load()
    ticks(load, 20, 0.2, lag=0.5)
    assert load.level > 1.0


@pytest.mark.looptime
async def test_it_measures_by_itself():
    spent = 0.0

    def computed() -> float:
        nonlocal spent
        spent += 0.25
        return spent

    load = Load(computed=computed)
    task = asyncio.create_task(load.measure())
    await asyncio.sleep(5.0)
    task.cancel()
    assert load.busy == pytest.approx(1.0, abs=0.02)
    assert load.level > 1.0


def test_who_comes_when_it_is_full_waits_and_is_told_how_many_wait_before():
    load = Load(max_in_flight=2)
    assert [load.no_room(key(n), PREPARING) for n in "ab"] == ["", ""]
    assert load.no_room(key("c"), PREPARING) == "no room: this engine carries 2 releases, of 2 at most"
    assert load.no_room(key("d"), PREPARING).endswith("; 1 wait before it")
    assert load.waits(key("c"))


def test_turns_come_in_the_order_of_coming():
    load = Load(max_in_flight=1)
    for name in "abc":
        load.no_room(key(name), PREPARING)
    load.no_room(key("a"), IDLE)
    assert load.no_room(key("c"), PREPARING), "b was there before"
    assert load.no_room(key("b"), PREPARING) == ""
    assert not load.waits(key("b"))


def test_one_that_waits_and_goes_away_keeps_nobody_waiting():
    load = Load(max_in_flight=1)
    for name in "abc":
        load.no_room(key(name), PREPARING)
    load.leave(key("b"))
    load.leave(key("a"))
    assert load.no_room(key("c"), PREPARING) == ""


def test_what_is_under_way_goes_on_however_many_there_are():
    load = Load(max_in_flight=1)
    assert [load.no_room(key(n), STEPPING) for n in range(5)] == [""] * 5
    assert load.no_room(key("new"), PREPARING)


def test_all_that_begin_in_the_same_moment_do_not_find_the_same_room():
    load = Load(max_in_flight=1)
    assert all(load.no_room(key(name), IDLE) for name in "abc")
    assert [not load.no_room(key(name), PREPARING) for name in "abc"] == [True, False, False]


def test_while_nothing_can_be_read_less_often_nobody_begins():
    load = Load(max_in_flight=100)
    assert load.no_room(key("a"), PREPARING) == ""
    ticks(load, 100, 1.0)
    assert load.no_room(key("b"), PREPARING).startswith("no room: this engine is busy")
    load.leave(key("a"))
    assert load.no_room(key("b"), PREPARING) == "", "an engine that carries nothing takes one on"


@pytest.mark.looptime
async def test_few_are_taken_over_at_a_time_and_rollbacks_do_not_queue():
    load, inside, most = Load(), 0, 0

    async def take_over(*, urgent: bool) -> float:
        nonlocal inside, most
        async with load.entrance(urgent=urgent):
            inside += not urgent
            most = max(most, inside)
            at = asyncio.get_running_loop().time()
            await asyncio.sleep(1.0)
            inside -= not urgent
        return at

    began = asyncio.get_running_loop().time()
    usual = [asyncio.create_task(take_over(urgent=False)) for _ in range(50)]
    await asyncio.sleep(0.5)
    assert await take_over(urgent=True) == pytest.approx(began + 0.5)
    await asyncio.gather(*usual)
    assert most == TAKEN_OVER_AT_ONCE


def test_looks_are_gathered_only_when_the_engine_is_full():
    load = Load()
    ticks(load, 20, 0.3)
    assert load.gap() == 0.0
    ticks(load, 20, 0.7)
    assert load.gap() == pytest.approx(GAP_SECONDS)
    ticks(load, 100, 1.0)
    assert load.gap() == MOST_GAP_SECONDS


def test_one_tick_counts_a_quarter_and_a_timer_that_comes_early_is_not_late():
    load = Load()
    load.note(1.0, 0.4)
    assert (load.busy, load.lag) == (pytest.approx(0.25), pytest.approx(0.1))
    load.note(1.0, 0.4)
    assert (load.busy, load.lag) == (pytest.approx(0.4375), pytest.approx(0.175))
    load.note(0.0, -1.0)
    assert (load.busy, load.lag) == (pytest.approx(0.328125), pytest.approx(0.13125))


def test_the_level_rises_and_falls_by_its_steps_and_has_bounds():
    load = Load()
    load.busy = 1.0
    load.note(1.0, 0.0)
    assert load.level == pytest.approx(UP)
    load.busy = load.lag = 0.0
    load.note(0.0, 0.0)
    assert load.level == pytest.approx(UP * DOWN)
    for _ in range(200):
        load.note(0.0, 0.0)
    assert load.level == 1.0
    for _ in range(200):
        load.note(1.0, 1.0)
    assert load.level == MOST_SETTLED * MOST_YOUNG
    between = Load(level=4.0, busy=0.7)
    between.note(0.7, 0.0)
    assert between.level == 4.0, "neither full nor calm: as it is"

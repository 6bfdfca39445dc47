"""The engine's time does not jump with the machine's clock, and comes back to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rollout.engine.clock import MOST_SLEW, EngineClock


class Machine:
    def __init__(self) -> None:
        self.wall, self.monotonic = 1_800_000_000.0, 50.0

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    def clock(self) -> EngineClock:
        return EngineClock(lambda: self.wall, lambda: self.monotonic)


def test_an_hour_forward_ends_no_hold():
    machine = Machine()
    clock = machine.clock()
    began = clock()
    machine.wall += 3600
    machine.passes(60)
    assert clock() - began <= 60 * (1 + MOST_SLEW) + 1e-6


def test_an_hour_back_lets_no_hold_last_for_ever():
    machine = Machine()
    clock = machine.clock()
    began = clock()
    machine.wall -= 3600
    for _ in range(60):
        machine.passes(1)
        clock()
    assert clock() - began >= 60 * (1 - MOST_SLEW) - 1e-6


def test_it_comes_back_to_the_wall_clock():
    machine = Machine()
    clock = machine.clock()
    machine.wall += 30
    for _ in range(600):
        machine.passes(1)
        clock()
    assert abs(clock() - machine.wall) < 1e-3


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-1e6, 1e6)), max_size=30))
def test_it_never_goes_back_and_never_runs_faster_than_it_may(steps: list[tuple[float, float]]):
    machine = Machine()
    clock = machine.clock()
    for passed, jump in steps:
        before = clock()
        machine.wall += jump
        machine.passes(passed)
        ran = clock() - before
        assert (1 - MOST_SLEW) * passed - 1e-3 <= ran <= (1 + MOST_SLEW) * passed + 1e-3

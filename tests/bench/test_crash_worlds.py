"""The worlds of crashes in small: the guard does what its table says, and the rule before it did not."""

import numpy as np
import pytest

from bench.judge.crash_worlds import CELLS, before, events, now, rows


def played(key, replicates=60):
    worlds = [events(CELLS[key], np.random.default_rng([1, number])) for number in range(replicates)]
    return [[judge(CELLS[key], each) for each in worlds] for judge in (before, now)]


@pytest.mark.parametrize("key", ["half", "storm-many"])
def test_healthy_canaries_stay_where_the_rule_before_took_them_back(key):
    ruled, guarded = (sum(at is not None for at in each) for each in played(key))
    assert ruled >= 4
    assert guarded <= 1


@pytest.mark.parametrize("key", ["loop-15", "loop-60", "loop-two", "loop-all"])
def test_loops_go_as_soon_as_they_did(key):
    ruled, guarded = (np.array(each, dtype=float) for each in played(key))
    assert np.nanmedian(guarded) <= np.nanmedian(ruled) + 2
    assert np.isfinite(guarded).mean() >= 0.95


def test_the_same_number_makes_the_same_world_and_a_row_tells_both():
    one, again = (events(CELLS["nodes"], np.random.default_rng(3)) for _ in range(2))
    assert one == again == sorted(one)
    assert next(rows(3, ["loop-15"])).count("|") == 5

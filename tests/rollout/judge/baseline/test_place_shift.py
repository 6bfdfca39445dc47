"""What a place has changed by of late: taken when it is sure, in every column of its signal, and never by chance."""

import numpy as np
import pytest

from rollout.judge.baseline.place_shift import WINDOWS, recent_shift
from rollout.judge.model.blocks import BLOCK_SECONDS

THREE = 3


def told(failed, size=1000.0):
    """Windows that all say the same of one column: failures of each place."""
    one = np.stack([np.asarray(failed, dtype=float), np.full(len(failed), size)])
    return np.tile(one, (WINDOWS.size, 1, 1))


def shift_of(*columns, owner=None, noise=0.0, clumps=1.0):
    count = len(columns)
    return recent_shift(
        np.stack(columns),
        np.ones((count, THREE)),
        np.full((count, THREE), noise),
        np.full(count, clumps),
        np.arange(count) if owner is None else np.array(owner),
    )


def test_a_place_that_surely_changed_is_told_beside_all_of_stable():
    shift, unsure, changed = shift_of(told([300, 100, 100]))
    assert changed.tolist() == [True]
    # A third of 500 failures is what was expected of each.
    assert np.exp(shift[0]) == pytest.approx(np.array([300, 100, 100]) * THREE / 500, rel=0.01)
    assert (unsure > 0).all()


def test_what_is_sure_at_one_edge_holds_at_the_far_one_and_in_no_other_signal():
    far = told([6, 1, 1])
    _, _, alone = shift_of(far)
    shift, unsure, changed = shift_of(told([300, 100, 100]), far, far, owner=[0, 0, 1])
    assert not alone.any()
    assert changed.tolist() == [True, True, False]
    assert shift[1, 0] > shift[2, 0]
    assert unsure[1, 0] > unsure[0, 0], "few requests tell little"


@pytest.mark.parametrize("expected", [0.5, 3.0, 50.0])
def test_by_chance_no_place_changes(expected):
    rng = np.random.default_rng(3)
    columns = [told(rng.poisson(expected, THREE)) for _ in range(4000)]
    shift, _, changed = shift_of(*columns)
    assert changed.mean() < 0.002
    assert (shift != 0).mean() < 0.1


def test_pods_that_differ_and_failures_that_clump_are_no_change():
    assert shift_of(told([180, 100, 100]))[2].all()
    assert not shift_of(told([180, 100, 100]), noise=0.05)[2].any()
    assert not shift_of(told([180, 100, 100]), clumps=8.0)[2].any()


def test_the_shortest_window_that_is_sure_is_taken_and_a_long_one_is_less_sure_than_it_looks():
    calm, slow = told([100, 100, 100])[:1], told([300, 100, 100])[:1]
    lately, before = (
        np.concatenate([np.tile(first, (2, 1, 1)), np.tile(then, (3, 1, 1))])
        for first, then in ((slow, calm), (calm, slow))
    )
    (now, then), (sure, unsure), _ = shift_of(lately, before)
    assert now[0] == pytest.approx(then[0])
    assert unsure[0] == pytest.approx(2 * 20 / BLOCK_SECONDS * sure[0])
    only_longest = np.concatenate([np.tile(calm, (4, 1, 1)), slow])
    _, longest, _ = shift_of(only_longest)
    assert longest[0, 0] == pytest.approx(2 * 320 / BLOCK_SECONDS * sure[0])


def test_what_is_in_between_counts_in_part_and_leaves_the_rest_open():
    shift, unsure, changed = shift_of(told([40, 20, 20]))
    assert not changed.any()
    assert 0 < shift[0, 0] < np.log(1.5)
    assert unsure[0, 0] > 1 / 40
    assert shift[0, 1] == 0 == unsure[0, 1]

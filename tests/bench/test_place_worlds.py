"""The bench's services in places: what their canaries do, and what the judge must not say of them."""

import numpy as np
import pytest

from bench.judge.place_worlds import CELLS, HEALTHY, PlaceWorld, play


def rates(key, seed=1):
    """Share of failures of the first place's stable pod and of the canary, by look of the release."""
    world = PlaceWorld(key, 40, seed)
    looks = [look for look in world.looks() if not look.history]
    return np.array(
        [[look.failed[:, at].sum() / max(look.requests[:, at].sum(), 1) for at in (0, -1)] for look in looks]
    ).T


def test_a_place_is_slow_for_as_long_as_its_world_says():
    there, canary = rates("outage")
    assert (there[20:28] > 0.2).all()
    assert (canary[20:28] > 0.2).all()
    assert there[:20].max() < 0.02 > there[28:].max()
    away = rates("outage-out")[1]
    assert away.max() < 0.02


def test_a_ramp_comes_about_slowly():
    there, _ = rates("ramp50")
    before, half, after = (there[at].mean() for at in (slice(0, 20), slice(35, 45), slice(62, 80)))
    assert before < half < after
    assert after / before == pytest.approx(2.0, rel=0.25)


def test_every_bad_world_is_a_healthy_one_with_a_fault():
    for key, cell in CELLS.items():
        assert (cell.fault == (1.0, 1.0)) == (key in HEALTHY)
        assert key in HEALTHY or key.removeprefix("F-").rpartition("-")[0] in HEALTHY


@pytest.mark.parametrize("key", ["outage", "late-errors"])
def test_a_place_that_fails_makes_no_canary_there_guilty(key):
    """Pods that a burst hits are left out elsewhere, and teach noise: here they are what the canary is held against."""
    assert play(key, 50, 0)["now"] == [None] * 50

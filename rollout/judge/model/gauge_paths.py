"""What a gauge's value may do by and by, healthy or not, and how likely each of it is beforehand.

All is told as z, the logarithm of the canary's value over stable's (see `evidence.gauge_test`), as what is added to the
canary's first position since it was first judged. A healthy canary stays where it is, or fills up: a warm cache comes
from below, ever slower or in a straight line, and ends where healthy pods are. A steady one gets another
level now and then that is tolerated as well. A bad one grows for good, or jumps.
"""

import numpy as np
from scipy.stats import t as student

from rollout.judge.model.onset_prior import Floats

SLOPES: Floats = np.geomspace(0.0004, 0.05, 15)
"""Growth in a minute that is a fault: of z where the canary is at stable's level."""

EXCLUDED_SLOPE = 0.0125
"""Growth in a minute that promotion excludes, as it does any shift: 2 % of stable's level. With less, gauges that go up
and down would not be proven good within a release."""

SHIFTS: Floats = np.log([1.5, 2.0, 4.0, 8.0])
"""Rise of z, beyond what is tolerated, that is a fault."""

ONSETS: Floats = np.array([0.0, 5.0, 10.0, 15.0, 20.0, 25.0])
"""Minutes at which a fault may begin."""

FAULTS = SLOPES.size + SHIFTS.size

FILL_GAPS: Floats = np.array([0.05, 0.1, 0.2, 0.35, 0.6, 0.85, 1.1])
"""How far below its level a canary may begin that fills up; the last began with next to nothing."""

FILL_MINUTES: Floats = np.geomspace(2.5, 70.0, 8)
"""After which all but 37 % of what is missing is filled, as values go."""

FILL_SLOPES: Floats = SLOPES[4:]
"""Growth in a minute while a cache fills in a straight line: that of the faults. Until it is full the two are then
equally likely; on another grid the one that happens to be nearer would win."""

FULL: Floats = np.array([-0.3, -0.15, -0.05, -0.02, 0.0, 0.02, 0.05])
"""Where growth in a straight line may end that is a cache's."""

LOWEST = 1.1
"""As far below stable's level a canary may be as well: a little more than one that shows nothing."""

_GAPS: Floats = np.repeat(FILL_GAPS, FILL_MINUTES.size)
_TIMES: Floats = np.tile(FILL_MINUTES, FILL_GAPS.size)
_MISSING: Floats = -np.expm1(-_GAPS)
_STEEP: Floats = np.repeat(FILL_SLOPES, FULL.size)
_FULL: Floats = np.tile(FULL, FILL_SLOPES.size)
HEALTHY = 1 + _GAPS.size + _FULL.size
"""Paths of a healthy canary: the level one, and those that fill up."""

ANOTHER_LEVEL = 1 / 4000
"""Chance, block by block, that a healthy canary whose value is steady gets another level."""

AT_START = 0.5
"""Chance that a fault is there from the first judged block on."""

_NEAR, _FILLS, _STRAIGHT = 0.7, 0.01, 0.03
_FINE, _COARSE, _REACH = 60, 60, 6.0

_ONSET_PRIOR: Floats = np.array([AT_START, *[(1 - AT_START) / (ONSETS.size - 1)] * (ONSETS.size - 1)])


def healthy_paths(minutes: float, positions: Floats) -> Floats:
    """What healthy canaries have added to their first z, shape (positions,), after so many minutes.

    Returns:
        Shape (positions, HEALTHY).
    """
    since = max(minutes, 0.0)
    # A value that fills up to v as v (1 - q exp(-t / T)), on the scale of z: log (1 - missing exp(-t / T)).
    slower = np.concatenate([[0.0], _GAPS + np.log1p(-_MISSING * np.exp(-since / _TIMES))])
    # One that grows in a straight line has grown by that part of stable's level each minute, until it is full.
    grown = np.log1p(_STEEP * since * np.exp(-positions[:, None]))
    straight = np.minimum(grown, np.maximum(_FULL - positions[:, None], 0.0))
    return np.concatenate([np.broadcast_to(slower, (positions.size, slower.size)), straight], axis=1)


def with_another_level(log_level: Floats, log_prior: Floats) -> Floats:
    """What is believed of the level after a block in which it may have become another; all of shape (positions,)."""
    moved = np.logaddexp.reduce(log_level) + log_prior + np.log(ANOTHER_LEVEL)
    found: Floats = np.logaddexp(log_level + np.log1p(-ANOTHER_LEVEL), moved)
    return found


def fault_paths(minutes: float, positions: Floats) -> Floats:
    """What faults have added to the first z, shape (positions,), after so many minutes: values grow in straight lines.

    A shift that was there from the start has added nothing since: what it did is in the prior of the first position.

    Returns:
        Shape (positions, FAULTS, ONSETS).
    """
    since = np.maximum(minutes - ONSETS, 0.0)
    begun = (minutes >= ONSETS) & (ONSETS > 0)
    grown = np.log1p(np.exp(-positions)[:, None, None] * SLOPES[:, None] * since)
    shifted = np.broadcast_to(SHIFTS[:, None] * begun, (positions.size, SHIFTS.size, ONSETS.size))
    return np.concatenate([grown, shifted], axis=1)


def first_positions(seen: float, deviation: float, step: float, highest: float) -> Floats:
    """A grid of the canary's first z: fine around what was seen first, coarse wherever else it may be; ascending.

    Args:
        seen: the z that was seen first.
        deviation: standard deviation of a healthy z around its level.
        step: how far apart two positions are that the blocks to come just tell apart.
        highest: that is still healthy; the coarse part goes from the lowest one to the highest shift from there.
    """
    reach = _REACH * deviation
    fine = np.linspace(seen - reach, seen + reach, min(_FINE, max(2 * round(reach / step), 8)))
    coarse = np.linspace(-LOWEST - FILL_GAPS[-1] / 2, highest + SHIFTS[-1], _COARSE)
    found: Floats = np.sort(np.concatenate([fine, coarse[np.abs(coarse - seen) > reach]]))
    return found


def highest_healthy(tau: float, more: float, follows: float) -> float:
    """The highest z of a healthy canary; as `log_priors`."""
    return max(more, follows) + 6 * tau


def log_priors(positions: Floats, tau: float, pods: int, more: float, follows: float) -> tuple[Floats, Floats]:
    """Logarithms of what is believed of the first position and of the path, beforehand.

    Args:
        positions: grid of the first z, shape (positions,).
        tau: scale of healthy pods' levels, Student's with ``pods`` + 1 degrees of freedom.
        pods: that have taught it.
        more: z of the highest level that policy tolerates.
        follows: z of a canary whose value follows its share of the traffic; 0 where that is not known.

    Returns:
        Of healthy paths, shape (positions, HEALTHY), and of faults, shape (positions, FAULTS, ONSETS).
    """
    width = np.gradient(positions)

    def near(at: Floats) -> Floats:
        found: Floats = student.pdf(at / tau, pods + 1) / tau
        return found if abs(follows) < tau / 2 else (found + student.pdf((at - follows) / tau, pods + 1) / tau) / 2

    def level(at: Floats) -> Floats:
        top = max(more, follows)
        tolerated, lower = ((at >= 0) & (at <= top)) / top, ((at < 0) & (at >= -LOWEST)) / LOWEST
        found = _NEAR * near(at) + (1 - _NEAR) / 2 * (tolerated + lower)
        return np.where(at <= highest_healthy(tau, more, follows), found, 0.0)

    stays = (1 - _FILLS - _STRAIGHT) * level(positions)
    fills = _FILLS / _GAPS.size * level(positions[:, None] + _GAPS)
    below = (level(positions) + (positions >= -LOWEST) / LOWEST)[:, None] / 2
    straight = _STRAIGHT / _FULL.size * below * (positions[:, None] < _FULL)
    healthy = np.concatenate([stays[:, None], fills, straight], axis=1)
    slopes = np.repeat(level(positions)[:, None, None], SLOPES.size, axis=1)
    at_start = near(positions[:, None] - SHIFTS)[:, :, None]
    later = np.broadcast_to(near(positions)[:, None, None], (positions.size, SHIFTS.size, ONSETS.size - 1))
    shifts = np.concatenate([at_start, later], axis=2)
    faults = np.concatenate([np.repeat(slopes, ONSETS.size, axis=2), shifts], axis=1) * _ONSET_PRIOR / FAULTS
    with np.errstate(divide="ignore"):
        return np.log(healthy * width[:, None]), np.log(faults * width[:, None, None])


def log_total(logs: Floats) -> float:
    """Logarithm of the sum of exp of them all, of any shape: a fifth of the time that numpy.logaddexp takes."""
    top = float(logs.max())
    return top + float(np.log(np.exp(logs - top).sum())) if top > -np.inf else top

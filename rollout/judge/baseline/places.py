"""What places (zones, nodes that pods share) do to pods, so that a canary is held against stable's pods of its place.

Stable's pods tell it, those of history and those of now. Of each column, with F and N what was counted in a place and
how much there was of it, relative to stable as a whole,

    differ   whether pods of different places differ by more than pods of one place do (analysis of variance, F test);
    effect   f = 1 + B / (B + v) (F / expected - 1): B is the variance between places, v that of F by counting and by
             the pods that happen to be there. 1 where places do not differ, so that nothing is lost there;
    shift    the same of the last seconds, beside that effect, where a place has changed: of this look and of four
             fading windows the shortest one that is sure (`recent_shift`).

With c_g and s_g the shares of the canary's and of stable's requests in place g, healthy odds are exp(offset) times
stable's, offset = log sum c_g f_g exp(shift) - log sum s_g f_g: a shift is relative to what all of stable does now.
Where requests have scores it is the tilt that moves the mean score as far. A place in which stable has no pod is as all
of stable is, give or take what places have been seen to differ by.
"""

from typing import ClassVar

import numpy as np
from scipy.special import fdtrc

from rollout.judge.baseline.lasting import PRIOR_PODS, lasting_variance
from rollout.judge.baseline.place_shift import WINDOWS, recent_shift
from rollout.judge.baseline.pod_against_others import BURST_STARTS
from rollout.judge.baseline.pod_variation import PodVariation
from rollout.judge.data.batch import MOST_PODS, Batch
from rollout.judge.data.places import MOST_PLACES
from rollout.judge.model.onset_prior import Bools, Floats, Indices, ShortFloats, indices_of
from rollout.judge.model.ridits import moments, tilt_of

RARE = 0.01
"""Places are taken to differ where pods that do not would look so this often."""

UNLUCKY = 2.0
"""Standard deviations by which a place that nobody knows is taken to be worse, where the nodes do not know it."""

EARLY = 180.0
"""Pod-blocks within which it may still turn out that what was noise is places."""

COARSE = 0.25
"""Steps of the log odds that gross faults are excused by, so that what is gross is not found anew at each look."""

_LEAST = 0.05
"""Least rate of a place, over that of all; a sum of scores may be negative."""

_MOST_SHARE = 0.98


class Places:
    """What has been learned of each column; a column whose pods' places nobody knows has no effect of any.

    Args:
        variation: what stable's pods teach otherwise.
        whole: sizes are requests, shape (columns,).
        owner: signal of each column, ascending, shape (columns,).

    Attributes:
        total: failures (sums of scores, centred) and sizes of stable by place in blocks that are closed, shape
            (columns, 2, MOST_PLACES).
        block: the same in the present block.
        lately: the same, fading, shape (columns, WINDOWS but the first, 2, MOST_PLACES).
        pods: place of each of stable's pods, -1 where it is not known, shape (columns, MOST_PODS).
        stray: variance that the nodes of the ratio test were told of, shape (columns,); infinite before that.
        usual: variance of pods of one place and how many failures come together, before a place changed: what makes its
            pods differ now is no noise of pods; shape (columns, 2).
        changed: whether a place surely did of late, shape (columns,).
        differ: whether places do, shape (columns,).
        between: variance of log rates between places, 0 where they do not differ, shape (columns,).
        within: the same of pods within one place, shape (columns,).
        offset: log odds of a healthy canary where it is now, shape (columns,).
        excused: the same in steps of `COARSE`, 0 where it is little or negative, shape (columns,).
        unsure: variance of that in this look, shape (columns,).
        strange: share of the canary's requests in places where stable has no pod, shape (columns,).
    """

    STATE: ClassVar[tuple[str, ...]] = ("total", "block", "lately", "pods", "stray", "usual")

    def __init__(self, variation: PodVariation, whole: Bools, owner: Indices) -> None:
        columns = whole.size
        self._variation, self._whole, self._owner = variation, whole, owner
        self.total, self.block = np.zeros((2, columns, 2, MOST_PLACES))
        self.lately: ShortFloats = np.zeros((columns, WINDOWS.size - 1, 2, MOST_PLACES), dtype=np.float32)
        self.pods = np.full((columns, MOST_PODS), -1.0)
        self.stray = np.full(columns, np.inf)
        self.between, self.within, self._now = np.zeros((3, columns))
        self.differ, self.changed, self._told = np.zeros((3, columns), dtype=np.bool_)
        self._effects, self._errors = np.ones((columns, MOST_PLACES)), np.zeros((columns, MOST_PLACES))
        self._pods = np.zeros((columns, MOST_PLACES))
        self.usual = np.tile([0.0, 1.0], (columns, 1))
        self._likely = variation.likely.copy()
        variation.beside = self._beside
        self.offset, self.excused, self.unsure, self.strange = np.zeros((4, columns))

    @property
    def known(self) -> bool:
        """Whether the place of any pod is known."""
        return bool(self._told.any())

    def settle(self) -> None:
        """Follow sums that were put back."""
        self._told, usual = self.pods.max(axis=1) >= 0, self.usual.copy()
        self._learn(indices_of(self._told))
        self.usual = usual

    def see(self, batch: Batch) -> bool:
        """Take in a look, before it is judged; whether any `excused` is another from now on."""
        before, self.changed = self.excused, np.zeros(self.changed.size, dtype=np.bool_)
        self.offset, self.unsure = np.zeros((2, before.size))
        if batch.places is None:
            self.strange, self._now, self.excused = np.zeros((3, before.size))
            return bool(before.any())
        at = indices_of(batch.places[1].any(axis=1))
        if batch.pod_places is not None:
            self.pods[at] = np.maximum(self.pods[at], batch.pod_places[at])
            self._told[at] = True
        told = self._centred(batch, at)
        self.block[at] += told
        self.lately[at] *= np.exp(-batch.seconds[at, None] / WINDOWS[1:])[:, :, None, None]
        self.lately[at] += told[:, None]
        ours = batch.places[2, at]
        here = ours.any(axis=1)
        if here.any():
            self._compare(at[here], told[here], ours[here], batch.bucket_counts[1])
        self.excused = np.where(self.offset > COARSE / 2, np.ceil(self.offset / COARSE) * COARSE, 0.0)
        return not np.array_equal(before, self.excused)

    def learn(self, columns: Indices) -> None:
        """Learn from blocks that were closed."""
        columns = columns[self._told[columns]]
        self.total[columns] += self.block[columns]
        self.block[columns] = 0.0
        before = self.differ[columns]
        self._learn(columns)
        self._forget(columns[self.differ[columns] & ~before])

    def _learn(self, columns: Indices) -> None:
        """Whether places differ, and by how much (one-way analysis of variance)."""
        if not columns.size:
            return
        failed, size = self._variation.sums(columns)
        counted = failed >= 1
        inside = (self.pods[columns][:, :, None] == np.arange(MOST_PLACES)) & counted[:, :, None]
        logs = np.where(counted, np.log(np.maximum(failed, 1) / np.maximum(size, 1e-300)), 0.0)[:, :, None]
        each = inside.sum(axis=1).astype(np.float64)
        pods, places = each.sum(axis=1), (each > 0).sum(axis=1)
        means = (logs * inside).sum(axis=1) / np.maximum(each, 1)
        mean = (each * means).sum(axis=1) / np.maximum(pods, 1)
        among, freely = np.maximum(places - 1, 1), np.maximum(pods - places, 1)
        between = (each * (means - mean[:, None]) ** 2).sum(axis=1) / among
        within = (((logs - means[:, None]) * inside) ** 2).sum(axis=(1, 2)) / freely
        # What counting adds to either: failures come in clumps.
        clumps = 1 / self._variation.one_by_one(columns, 1.0)
        chance = clumps * (inside.any(axis=2) / np.maximum(failed, 1)).sum(axis=1) / np.maximum(pods, 1)
        noise = np.maximum(np.maximum(within, chance), 1e-300)
        # What `recent_shift` is to hold changes against.
        strays = np.maximum(within - chance, 0.0) + self._variation.wander.told(columns)[0]
        usual = np.stack([strays, clumps], axis=1)
        self.usual[columns] = np.where(self.changed[columns, None], self.usual[columns], usual)
        differ = (places > 1) & (pods > places) & (fdtrc(among, freely, between / noise) < RARE)
        self.differ[columns], self._pods[columns] = differ, each
        self.within[columns] = np.maximum(within - chance, 0.0)
        self.between[columns] = found = np.where(
            differ, np.maximum(between - noise, 0.0) * places / np.maximum(pods, 1), 0.0
        )
        # The effect of each place: of all that was counted there, by as much as it is known. A place without anything
        # is like the mean of those that were seen, give or take.
        failed_, size_ = self.total[columns].transpose(1, 0, 2)
        relative = _relative(failed_, size_)
        error = clumps[:, None] / np.maximum(failed_, 0.5) + self.within[columns, None] / np.maximum(each, 1)
        found = found[:, None]
        seen = (size_ > 0) & (found > 0)
        worth = np.divide(found, found + error, out=np.zeros(seen.shape), where=seen)
        self._effects[columns] = 1 + worth * (relative - 1)
        self._errors[columns] = np.where(seen, worth * error, found * (1 + 1 / np.maximum(places, 1))[:, None])

    def _beside(self, columns: Indices, own: Floats, size: Floats) -> Floats:
        """Log ratios (of scores: tilts) of pods to their others in a block, by their lasting ones to all of them.

        Where places do not differ those are so near to all that nothing is changed.

        Args:
            columns: k of them.
            own: lasting log ratio of each pod to all, shape (k, MOST_PODS).
            size: of each pod in the block, shape (k, MOST_PODS).
        """
        differ = self.differ[columns]
        if not differ.any():
            return own
        scored = self._variation.scored[columns]
        share = size / np.maximum(size.sum(axis=1, keepdims=True), 1e-300)
        rate = np.exp(own)
        whole = np.maximum((share * rate).sum(axis=1, keepdims=True), 1e-300)
        rate /= whole
        others = np.maximum(1 - share * rate, _LEAST) / np.maximum(1 - share, _LEAST)
        between = np.log(rate / others)
        if scored.any():
            between[scored] = self._tilts(columns[scored], rate[scored], others[scored], self._variation.block_pooled)
        return np.where(differ[:, None], between, own)

    def _forget(self, columns: Indices) -> None:
        """Let noise be learned anew where it was, for a few blocks, taken for noise that places differ."""
        early = columns[self._variation.blocks[columns] < EARLY]
        self._variation.gains[early], self._variation.blocks[early] = 0.0, 0.0
        self._variation.likely[early] = self._likely[early]
        self._variation.hit[early] = BURST_STARTS

    def spreads(self, columns: Indices) -> tuple[Floats, Floats]:
        """As `PodVariation.spreads`, of the canary's pods beside stable's of their places.

        Where places differ it is what pods of one place differ by, and what is not known of the place of the canary's.
        """
        spread, pods = self._variation.spreads(columns)
        self.stray[columns] = self._now[columns]
        differ = self.differ[columns]
        if not differ.any():
            return spread, pods
        (failed, size), power = self._variation.sums(columns), self._variation.prior_power[columns]
        where = np.maximum(self.pods[columns], 0).astype(np.intp)
        effect = np.where(self.pods[columns] >= 0, np.take_along_axis(self._effects[columns], where, axis=1), 1.0)
        lasting = lasting_variance(failed, size, power)[0]
        narrow, known = lasting_variance(failed, size * effect, power)
        # So many means were taken out as there are places.
        told, means = self._pods[columns].sum(axis=1), (self._pods[columns] > 0).sum(axis=1) - 1
        narrow = np.minimum(narrow * np.maximum(told - 1, 0) / np.maximum(told - 1 - means, 1), lasting)
        stray, fewer = self.stray[columns], np.minimum(np.maximum(known - means, PRIOR_PODS), pods)
        narrowed = np.sqrt(np.maximum(spread**2 - lasting, 0.0) + narrow + stray)
        return np.where(differ, narrowed, spread), np.where(differ, fewer, pods)

    def _centred(self, batch: Batch, at: Indices) -> Floats:
        """Failures and sizes of stable by place, shape (k, 2, MOST_PLACES).

        Sums of scores are moved as `PodVariation` moves them, so that they grow as a rate of failures does.
        """
        assert batch.places is not None  # noqa: S101 - for mypy: asked by `see` only where there are some
        told = batch.places[:2, at, :MOST_PLACES].transpose(1, 0, 2).copy()
        scored = self._variation.scored[at]
        if scored.any():
            mean, variance = moments(self._variation.scores[at], batch.bucket_counts[1, at])
            told[:, 0] += np.where(scored, variance - mean, 0.0)[:, None] * told[:, 1]
        return told

    def _compare(self, at: Indices, told: Floats, ours: Floats, pooled: Floats) -> None:
        """The offset of canaries that are judged: see the formulas of this module.

        Args:
            at: columns, k of them.
            told: stable's failures and sizes in this look, shape (k, 2, MOST_PLACES).
            ours: the canary's sizes, shape (k, MOST_PLACES + 1).
            pooled: requests of stable with each score, shape (columns, BINS).
        """
        shares = ours / ours.sum(axis=1, keepdims=True)
        inside, self.strange[at] = shares[:, :MOST_PLACES], shares[:, MOST_PLACES]
        stable = told[:, 1] / told[:, 1].sum(axis=1, keepdims=True)
        windows = np.concatenate([told[:, None], self.lately[at]], axis=1)
        strays, clumps = self.usual[at].T
        noise = strays[:, None] / np.maximum(self._pods[at], 1)
        shift, error, self.changed[at] = recent_shift(windows, self._effects[at], noise, clumps, self._owner[at])
        effect = self._effects[at] * np.exp(shift)
        # The canary, and stable, which shifts are relative to: a place that nobody knows is like stable.
        whole = (stable * self._effects[at]).sum(axis=1)
        own = (inside * effect).sum(axis=1) + (1 - inside.sum(axis=1)) * whole
        self.unsure[at] = (inside**2 * error).sum(axis=1)
        unknown = self.between[at] * (1 + 1 / np.maximum((self._pods[at] > 0).sum(axis=1), 1))
        self._now[at] = (inside**2 * self._errors[at]).sum(axis=1) + self.strange[at] ** 2 * unknown
        later = np.maximum(self._now[at] - self.stray[at], 0.0)
        found, scored = self._log_odds(at, told, own / whole), self._variation.scored[at]
        if scored.any():
            both = own[scored, None], whole[scored, None]
            found[scored] = self._tilts(at[scored], *both, pooled)[:, 0]
        self.offset[at] = found + np.where(self.strange[at] > 0, UNLUCKY * np.sqrt(later), 0.0)

    def _tilts(self, columns: Indices, rate: Floats, others: Floats, pooled: Floats) -> Floats:
        """The tilt from requests of some rates to those of others, shape (k, m).

        Args:
            columns: k of them, whose requests have scores.
            rate: of some, relative to all, shape (k, m).
            others: the same of the others, shape (k, m).
            pooled: requests of all with each score, shape (columns of all, BINS).
        """
        both = np.concatenate([rate, others], axis=1)
        found = tilt_of(both, self._variation.scores[columns], pooled[columns])
        return found[:, : rate.shape[1]] - found[:, rate.shape[1] :]

    def _log_odds(self, at: Indices, told: Floats, ratio: Floats) -> Floats:
        """Log odds ratio (of exposures: log rate ratio) of a rate that is so many times stable's in this look."""
        failed, size = told.sum(axis=2).T
        rate = np.where(self._whole[at], failed / np.maximum(size, 1.0), 0.0)
        ours, theirs = (np.clip(rate * each, 0.0, _MOST_SHARE) for each in (ratio, 1.0))
        found: Floats = np.log(ratio) - np.log1p(-ours) + np.log1p(-theirs)
        return found


def _relative(failed: Floats, size: Floats) -> Floats:
    """Rates over that of all, 1 where there is nothing; shape (k, MOST_PLACES)."""
    rate = failed.sum(axis=1, keepdims=True) / np.maximum(size.sum(axis=1, keepdims=True), 1e-300)
    expected = size * rate
    found: Floats = np.maximum(np.divide(failed, expected, out=np.ones(failed.shape), where=expected > 0), _LEAST)
    return found

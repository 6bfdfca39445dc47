"""All e-processes against the canary, laid out so that one look of all signals is one pass of array operations."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import gammaincinv

from rollout.judge import edges
from rollout.judge.combination import combined
from rollout.judge.confidence import RatioSequences
from rollout.judge.counting import Bools, Counts
from rollout.judge.gross import GrossBank
from rollout.judge.heterogeneity import PRIOR_PODS, PRIOR_SPREAD, PRIOR_TEMPER, Noise
from rollout.judge.ledger import Ledger
from rollout.judge.onset import Floats, Indices, OnsetPrior
from rollout.judge.policy import JudgePolicy, SignalKind
from rollout.judge.ratio import RatioBank, pod_effects
from rollout.judge.tally import REQUEST_KINDS, Tally
from rollout.looks import SignalLook

GROSS_SHARE = 0.65
"""Weight of the gross-fault test in its signal; the ratio test has the rest."""

GROSS_AT_START = 0.125
"""Onset mass on the first look for gross faults; those are plain at the start anyway."""

BOUND_LEVEL = 0.975
"""Level of the upper bound of stable's rate."""

SHOWS_SECONDS = 5.0
"""Stable traffic within this time would have shown a shared fault."""

RATIO_STATE = ("nodes", "temper", "log_null", "log_fault", "elapsed")
GROSS_STATE = ("log_fault", "log_shared", "temper", "elapsed")
SEQUENCE_STATE = ("score", "variance")


@dataclass(frozen=True, slots=True)
class Fresh:
    """A look that has data, on its way into the evidence.

    Attributes:
        index: position of the signal in the policy.
        tally: the look's increments.
        at: seconds since the epoch.
        seconds: time since the signal's look before.
        source: the look itself, with its pods.
        judged: positions of the judged edges among the source's, -1 for a lost one; None unless latency.
    """

    index: int
    tally: Tally
    at: float
    seconds: float
    source: SignalLook
    judged: Indices | None = None

    def slow_at(self, slow: Floats) -> Floats:
        """Slow requests at the judged edges, of counts at all of the source's edges; 0 at a lost one.

        Shape (judged,).
        """
        if self.judged is None or not slow.size:
            return np.zeros(0 if self.judged is None else self.judged.size)
        found: Floats = np.where(self.judged < 0, 0.0, slow[self.judged])
        return found


class Evidence:
    """E-processes of all signals of a policy.

    Attributes:
        ratio: the ratio test, `edges.MOST` rows for a latency signal, one for any other.
        gross: the test on the canary's own numbers, one row a signal that is not latency.
        sequences: confidence sequences, one row a signal.
        edges: judged edges in seconds by signal index; latency only, empty until chosen.
    """

    def __init__(self, policy: JudgePolicy) -> None:
        kinds = [signal.kind for signal in policy.signals]
        widths = [edges.MOST if kind is SignalKind.LATENCY else 1 for kind in kinds]
        starts = np.concatenate([[0], np.cumsum(widths)]).astype(int)
        self._policy = policy
        self._slots = [range(int(a), int(b)) for a, b in pairwise(starts)]
        counted = [index for index, kind in enumerate(kinds) if kind is not SignalKind.LATENCY]
        self._gross_row = {index: row for row, index in enumerate(counted)}
        whole = np.array([kinds[index] in REQUEST_KINDS for index in counted], dtype=np.bool_)
        self.ratio = RatioBank(int(starts[-1]), OnsetPrior(policy.horizon_seconds))
        self.ratio.nodes[:] = pod_effects(PRIOR_SPREAD, PRIOR_PODS)
        self.ratio.temper[:] = PRIOR_TEMPER
        self.gross = GrossBank(whole, OnsetPrior(policy.horizon_seconds, GROSS_AT_START))
        self._ratio_log_e = np.zeros(int(starts[-1]))
        self.sequences = RatioSequences(len(kinds))
        self.edges: list[list[float]] = [[] for _ in kinds]

    def slots(self, index: int) -> range:
        """Rows of the ratio bank that belong to a signal and are in use."""
        slots = self._slots[index]
        if self._policy.signals[index].kind is SignalKind.LATENCY:
            return slots[: len(self.edges[index])]
        return slots

    def calibrate(self, index: int, noise: Noise) -> None:
        """Take over what stable's pods have taught: eta from now on, the pod effects only before the first bet."""
        slots = self.slots(index)
        if not slots:
            return
        rows = slice(slots.start, slots.stop)
        self.ratio.temper[rows] = noise.tempers()
        if not self.ratio.elapsed[rows].any():
            self.ratio.nodes[rows] = noise.nodes()

    def bet(self, looks: Sequence[Fresh], ledgers: Sequence[Ledger]) -> None:
        """Take in one look of some signals, each at most once."""
        self._bet_ratio(looks)
        self._bet_gross([look for look in looks if look.index in self._gross_row], ledgers)

    def log_e(self) -> list[float]:
        """Natural logarithm of each signal's e-process, in the policy's order."""
        ratio, gross = self.ratio.log_e(), self.gross.log_e()
        self._ratio_log_e = ratio
        return [self._signal_log_e(index, ratio, gross) for index in range(len(self.edges))]

    def worst_edge(self, index: int) -> int | None:
        """Position, among a latency signal's judged edges, of the one with most evidence."""
        slots = self.slots(index)
        return int(np.argmax(self._ratio_log_e[slots.start : slots.stop])) if slots else None

    def export(self, index: int) -> dict[str, Any]:
        """A signal's rows, for saving."""
        slots = self._slots[index]
        state = {"edges": list(self.edges[index])}
        state |= {name: getattr(self.ratio, name)[slots.start : slots.stop] for name in RATIO_STATE}
        if index in self._gross_row:
            row = self._gross_row[index]
            state |= {f"gross_{name}": getattr(self.gross, name)[row : row + 1] for name in GROSS_STATE}
        return state | {name: getattr(self.sequences, name)[index] for name in SEQUENCE_STATE}

    def load(self, index: int, state: dict[str, Any]) -> None:
        """Put a signal's saved rows back.

        Raises:
            KeyError: something is missing.
            ValueError: an array has another shape.
        """
        slots = self._slots[index]
        for name in RATIO_STATE:
            getattr(self.ratio, name)[slots.start : slots.stop] = state[name]
        if index in self._gross_row:
            for name in GROSS_STATE:
                getattr(self.gross, name)[self._gross_row[index]] = state[f"gross_{name}"][0]
        for name in SEQUENCE_STATE:
            getattr(self.sequences, name)[index] = state[name]
        self.edges[index] = list(state["edges"])

    def _signal_log_e(self, index: int, ratio: Floats, gross: Floats) -> float:
        slots = self.slots(index)
        parts = [float(value) for value in ratio[slots.start : slots.stop]]
        if index in self._gross_row:
            own = float(gross[self._gross_row[index]])
            return combined((*parts, own), (1 - GROSS_SHARE, GROSS_SHARE))
        return combined(parts, [1 / len(parts)] * len(parts)) if parts else 0.0

    def _bet_ratio(self, looks: Sequence[Fresh]) -> None:
        rows = [slot for look in looks for slot in self.slots(look.index)]
        if not rows:
            return
        columns = [_columns(look) for look in looks if self.slots(look.index)]
        counts = _counts(np.concatenate(columns, axis=1), self._whole(looks))
        tolerance = self._each(looks, [self._policy.signals[look.index].tolerance for look in looks])
        seconds = self._each(looks, [look.seconds for look in looks])
        self.ratio.bet(np.array(rows), counts, tolerance, seconds)
        self._bound(looks, counts)

    def _bound(self, looks: Sequence[Fresh], counts: Counts) -> None:
        """Feed the confidence sequences with each signal's own row, for latency its highest unsaturated edge."""
        judged = [look for look in looks if self.slots(look.index)]
        ends = np.cumsum([len(self.slots(look.index)) for look in judged])
        rows = [int(end) - 1 - len(self.slots(look.index)) // 2 for look, end in zip(judged, ends, strict=True)]
        picked = counts.take(np.array(rows))
        self.sequences.add(np.array([look.index for look in judged]), picked)

    def _bet_gross(self, looks: Sequence[Fresh], ledgers: Sequence[Ledger]) -> None:
        if not looks:
            return
        rows = np.array([self._gross_row[look.index] for look in looks])
        books = [ledgers[look.index] for look in looks]
        signals = [self._policy.signals[look.index] for look in looks]
        whole = np.array([signal.kind in REQUEST_KINDS for signal in signals], dtype=np.bool_)
        bound = upper_rate(books, whole)
        floor = np.array([max(signal.effective_floor, 1e-6) for signal in signals])
        tolerance = np.array([signal.tolerance for signal in signals])
        seen = np.array([float(book.noise.worst[0]) for book in books])
        healthy = np.minimum(np.maximum.reduce([tolerance * bound, floor, seen]), np.where(whole, 0.9, np.inf))
        self.gross.bet(
            rows,
            _counts(np.concatenate([_columns(look) for look in looks], axis=1), whole),
            healthy,
            np.minimum(np.maximum(bound, floor / 2), healthy),
            np.array([look.seconds for look in looks]),
            concurrent=np.array(
                [look.at - book.stable_at <= SHOWS_SECONDS for look, book in zip(looks, books, strict=True)]
            ),
        )

    def _whole(self, looks: Sequence[Fresh]) -> Bools:
        return self._each(looks, [float(self._policy.signals[look.index].kind in REQUEST_KINDS) for look in looks]) > 0

    def _each(self, looks: Sequence[Fresh], values: Sequence[float]) -> Floats:
        """Repeat one value a look for each of its rows."""
        return np.repeat(np.array(values, dtype=np.float64), [len(self.slots(look.index)) for look in looks])


def upper_rate(books: Sequence[Ledger], whole: Bools) -> Floats:
    """Upper bound of stable's rate from its history (Jeffreys, Poisson); shape (signals,).

    Pods are taken to crash rarely until they do: without an event the bound of a rate per pod-second is 0, and the
    floor rules. A share of requests that was never observed may be anything.
    """
    failed = np.array([book.history.failed for book in books])
    size = np.array([book.history.size for book in books])
    bound = gammaincinv(failed + 0.5, BOUND_LEVEL) / np.maximum(size, 1e-9)
    shares = np.minimum(bound, 1.0)
    rates = np.where(failed > 0, bound, 0.0)
    return np.asarray(np.where(whole, shares, rates))


def _columns(look: Fresh) -> Floats:
    """Failed, size, stable failed, stable size: shape (4, rows); an edge the source lost has no bet."""
    canary, stable = look.tally.canary, look.tally.stable
    if look.judged is None:
        return np.array([[canary.failed], [canary.size], [stable.failed], [stable.size]])
    there = (look.judged >= 0).astype(np.float64)
    rows = (look.slow_at(canary.slow), canary.size * there, look.slow_at(stable.slow), stable.size * there)
    return np.stack(rows)


def _counts(columns: Floats, whole: Bools) -> Counts:
    return Counts(columns[0], columns[1], columns[2], columns[3], whole)

"""The proof for promotion, kept look by look: is each signal shown not to be worse than its target or margin?

Errors: below the target share, or below margin times stable. Latency: at every judged edge (or at the one threshold)
the slow share is less than stable's plus the target. Counted events: below the target rate. The formulas are in
`promotion`.
"""

import math

import numpy as np

from rollout.judge import edges, promotion
from rollout.judge.evidence import Fresh
from rollout.judge.ledger import Ledger
from rollout.judge.onset import Floats
from rollout.judge.policy import JudgePolicy, SignalKind, SignalPolicy

_LATENCY_BETTER = (0.0, 0.35)
"""Alternatives for the added slow share, as shares of the target; the third is half of stable's own."""


def certify(policy: JudgePolicy, fresh: Fresh, book: Ledger) -> None:
    """Add one look to a ledger's promotion sums (after the fading window, before the totals)."""
    signal = policy.signals[fresh.index]
    if fresh.tally.canary.size <= 0:
        return
    if signal.kind is SignalKind.LATENCY:
        gain = _latency(signal, fresh, book)
    elif signal.kind is SignalKind.ERRORS:
        gain = _errors(policy, signal, fresh)
    else:
        part, target = fresh.tally.canary, signal.effective_target
        better = [target * share for share in promotion.BETTER]
        gain = np.array([promotion.below_rate(part.failed, part.size, target, better)])
    book.log_good = gain + (book.log_good if book.log_good.shape == gain.shape else 0.0)


def log_e_good(signal: SignalPolicy, book: Ledger, judged: list[float]) -> float:
    """Natural logarithm of the e-process for "not worse"; 0 before any evidence."""
    if not book.log_good.size:
        return 0.0
    rows = np.logaddexp.reduce(book.log_good, axis=1) - math.log(book.log_good.shape[1])
    if signal.kind is SignalKind.LATENCY and signal.threshold_seconds is not None and judged:
        return float(rows[edges.nearest(tuple(judged), signal.threshold_seconds)])
    return float(rows.min())


def _errors(policy: JudgePolicy, signal: SignalPolicy, fresh: Fresh) -> Floats:
    canary, stable = fresh.tally.canary, fresh.tally.stable
    target = signal.effective_target
    gain = promotion.below_share(canary.failed, canary.size, target, [target * share for share in promotion.BETTER])
    if stable.size > 0:
        margin = policy.promotion_margin * signal.tolerance
        rho = canary.size / stable.size
        gain += promotion.below_ratio(canary.failed, canary.failed + stable.failed, rho, margin, (0.5, 0.3))
    else:
        gain += [0.0, 0.0]
    return np.array([gain])


def _latency(signal: SignalPolicy, fresh: Fresh, book: Ledger) -> Floats:
    """Gains per judged edge against stable's slow share of late (by its history while it has no traffic)."""
    reference = book.stable_lately if book.stable_lately.size >= 1 else book.history
    canary = fresh.slow_at(fresh.tally.canary.slow)
    if reference.size <= 0:
        return np.zeros((canary.size, len(_LATENCY_BETTER) + 1))
    stable = fresh.slow_at(reference.slow) / reference.size
    extra = signal.effective_target
    at = np.minimum(stable + extra, 0.999)
    rate = np.stack([stable + share * extra for share in _LATENCY_BETTER] + [stable / 2], axis=1)
    rate = np.minimum(np.maximum(rate, 1e-3), 0.99)
    slow, limit = canary[:, None], at[:, None]
    gain: Floats = slow * np.log(rate / limit) + (fresh.tally.canary.size - slow) * np.log((1 - rate) / (1 - limit))
    return gain

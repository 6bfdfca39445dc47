"""What the judge is asked to promise: rates, margins and weights, per release and per signal."""

from dataclasses import dataclass, field

from rollout.signals.kinds import SIGNAL_KINDS, Family, SignalKind

REQUEST_KINDS = frozenset(kind for kind, row in SIGNAL_KINDS.items() if row.per_request)
"""Kinds whose sizes are requests, each failing at most once; the others count events over pod-seconds."""

CRASH_GUARD_SHARE = 0.2
"""Part of the false-rollback rate that the guard against crash loops has, where there is one."""

FAILURE_GUARD_SHARE = 0.1
"""The same of a blast budget and a guard of failures, together."""


@dataclass(frozen=True, slots=True)
class SignalPolicy:
    """How one signal is judged.

    Attributes:
        name: the signal's name, as in its looks.
        kind: how its looks are read.
        weight: its share of the false-rollback rate, in proportion to the other signals'; None takes the kind's.
        tolerance: canary rate over stable rate that is still accepted (r0).
        floor: absolute rate not worth a rollback; None takes the kind's.
        hard_guard: canary failures (share of the last requests, or number of crashes) from which on its guard may
            convict; None takes the kind's.
        target: what promotion proves; None takes the kind's.
        threshold_seconds: latency only: promotion proves the share slower than this, instead of every judged edge.
        metric: gauges only: the name that its values have in recordings that do not know the signal's.
    """

    name: str
    kind: SignalKind
    weight: float | None = None
    tolerance: float = 1.0
    floor: float | None = None
    hard_guard: float | None = None
    target: float | None = None
    threshold_seconds: float | None = None
    metric: str = ""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        if not self.name:
            raise ValueError("a signal needs a name")
        if self.tolerance < 1:
            raise ValueError(f"signal {self.name}: tolerance is {self.tolerance}; below 1 it blames equals, use >= 1")
        for name in ("weight", "hard_guard", "target", "threshold_seconds"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"signal {self.name}: {name} is {value}; leave it out or give a number above 0")
        if self.floor is not None and self.floor < 0:
            raise ValueError(f"signal {self.name}: floor is {self.floor}; a rate is not negative")

    @property
    def effective_weight(self) -> float:
        """The weight before normalisation."""
        return SIGNAL_KINDS[self.kind].weight if self.weight is None else self.weight

    @property
    def effective_floor(self) -> float:
        """The absolute rate not worth a rollback."""
        return SIGNAL_KINDS[self.kind].floor if self.floor is None else self.floor

    @property
    def effective_target(self) -> float:
        """The rate (for latency: the added slow share) that promotion proves."""
        return SIGNAL_KINDS[self.kind].target if self.target is None else self.target


@dataclass(frozen=True, slots=True)
class JudgePolicy:
    """What is promised for a whole release.

    Attributes:
        signals: the signals to judge, at least one, names distinct.
        false_rollback_rate: probability (alpha) that a healthy release is ever called bad.
        horizon_seconds: the time over which a late fault is expected to begin; later ones are still seen, more slowly.
        promotion_margin: canary rate over stable rate that must be excluded for `good`.
        missed_rate: probability (beta) that a canary beyond the margin is called good.
        blast_budget: failed requests above stable's that convict at once; None for no limit.
        idle_seconds: a canary without requests for this long has no traffic.
        stale_seconds: a signal without a look for this long counts as a source that is down.
    """

    signals: tuple[SignalPolicy, ...] = field(default=())
    false_rollback_rate: float = 0.01
    horizon_seconds: float = 1800.0
    promotion_margin: float = 2.0
    missed_rate: float = 0.05
    blast_budget: int | None = None
    idle_seconds: float = 60.0
    stale_seconds: float = 60.0

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        names = [signal.name for signal in self.signals]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a policy needs signals with distinct names, found {names}")
        for name in ("false_rollback_rate", "missed_rate"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but a probability between 0 and 1 is needed")
        if self.horizon_seconds <= 0 or self.promotion_margin <= 1:
            raise ValueError("horizon_seconds must be above 0 and promotion_margin above 1")

    def weights(self) -> tuple[float, ...]:
        """Weights of the signals, in their order; they sum to 1 less what the guards are paid."""
        total = sum(signal.effective_weight for signal in self.signals) / (1 - sum(self.guard_shares()))
        return tuple(signal.effective_weight / total for signal in self.signals)

    def guard_shares(self) -> tuple[float, ...]:
        """Part of the false-rollback rate that the guard of each signal has, in their order; 0 where it has none."""
        loops = [SIGNAL_KINDS[signal.kind].guard is not None for signal in self.signals]
        failures = [
            SIGNAL_KINDS[signal.kind].family is Family.FAILURES
            and (self.blast_budget is not None or signal.hard_guard is not None)
            for signal in self.signals
        ]
        return tuple(
            CRASH_GUARD_SHARE * loop / max(sum(loops), 1) + FAILURE_GUARD_SHARE * failure / max(sum(failures), 1)
            for loop, failure in zip(loops, failures, strict=True)
        )

"""How long each thing may take, and since when: the clocks that the decision goes by, and that people are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rollout.decide.context import NOT_READY

if TYPE_CHECKING:
    from rollout.decide.context import Context


class Clock(NamedTuple):
    """So many seconds since a moment; one that is not known has not begun."""

    since: float | None
    seconds: float

    @property
    def until(self) -> float | None:
        """When it is over; None where it has not begun."""
        return None if self.since is None else self.since + self.seconds


def over(ctx: Context, clock: Clock) -> bool:
    """Whether its time is over, as a deadline counts it: only while the engine could see and write."""
    return ctx.waited(clock.since) >= clock.seconds


def pods_clock(ctx: Context) -> Clock:
    """For the canary's pods, from the moment they were first missed."""
    status = ctx.status
    return Clock(
        status.doubt_since if status.doubt == NOT_READY else status.phase_since, ctx.spec.strategy.ready_deadline
    )


def routed_clock(ctx: Context) -> Clock:
    """For the gateway to know the canary."""
    return Clock(ctx.status.doubt_since, ctx.spec.strategy.verify_deadline)


def pods_back_clock(ctx: Context) -> Clock:
    """For pods that were moved away, or that all went at once, to be there again."""
    withdrawn = ctx.status.withdrawn_at
    return Clock(ctx.status.doubt_since if withdrawn is None else withdrawn, ctx.spec.strategy.ready_deadline)


def taken_clock(ctx: Context) -> Clock:
    """For a weight to be written and taken by the gateway.

    A stranger's backend is no fault of the version: it may be put right, and there is more time for that.
    """
    strategy, status = ctx.spec.strategy, ctx.status
    patience = max(strategy.verify_deadline, strategy.ready_deadline if ctx.seen.share.foreign_backends else 0.0)
    return Clock(status.phase_since if status.written_at is None else status.written_at, patience)


def counted_clock(ctx: Context) -> Clock:
    """For a weight to be seen in the requests."""
    return Clock(ctx.status.written_at, ctx.spec.strategy.verify_deadline)


def hold_clock(ctx: Context) -> Clock:
    """For the step under way to be judged, from its verification on."""
    return Clock(ctx.status.verified_at, ctx.steps[ctx.status.step].hold)


def bake_clock(ctx: Context) -> Clock:
    """For the version before to stay ready."""
    return Clock(ctx.status.phase_since, ctx.spec.strategy.bake)


def unwell_clock(ctx: Context) -> Clock:
    """For a bake that goes wrong with no way back."""
    strategy = ctx.spec.strategy
    return Clock(ctx.status.phase_since, strategy.bake + strategy.ready_deadline)


def zero_clock(ctx: Context) -> Clock:
    """For a rollback to be seen. What comes next must not wait for ever; weight 0 stays wanted."""
    strategy = ctx.spec.strategy
    return Clock(ctx.status.phase_since, strategy.drain + strategy.verify_deadline)


def old_pods_clock(ctx: Context) -> Clock:
    """For the pods of the version before, where they were given up."""
    return Clock(ctx.status.phase_since, ctx.spec.strategy.ready_deadline)

"""One look at one system: see it, plan, take the steps, and say how each item stands.

It may end anywhere and begin anew: steps may be taken twice, and what was made is kept as it is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from topology.api.status import ItemStatus, Reason, State
from topology.plan import ACTS, Op, Step, Terms, plan
from topology.systems.system import StepError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from topology.api.spec import TopologySpec
    from topology.plan import Found
    from topology.systems.system import System

log: Any = structlog.get_logger()
ROUNDS = 3
"""A replaced queue loses its bindings, which the next round makes again; more of them wait for the next look."""

AT_ONCE = 20
"""Steps after which is kept what they made."""


@dataclass(slots=True)
class Look:
    """What came of one look.

    Attributes:
        made: labels of what was made here, then and now.
        written: labels of what was written in this look.
        items: how each stands.
    """

    made: set[str]
    written: list[str] = field(default_factory=list)
    items: list[ItemStatus] = field(default_factory=list)

    @property
    def reason(self) -> Reason:
        """The worst of what there is."""
        found = {each.state for each in self.items}
        for state, reason in _WORST:
            if state in found:
                return reason
        return Reason.RECONCILED

    @property
    def message(self) -> str:
        """The first few that are not as declared, with what to do."""
        wrong = [each for each in self.items if each.state not in {State.READY, State.LEFT}]
        told = [f"{each.label}: {each.reason}" + (f"; {each.fix}" if each.fix else "") for each in wrong[:_TOLD]]
        more = [f"and {len(wrong) - _TOLD} more"] if len(wrong) > _TOLD else []
        return " | ".join([*told, *more])


_TOLD = 3
_WORST = (
    (State.REFUSED, Reason.REFUSED),
    (State.FAILED, Reason.FAILED),
    (State.WAITING, Reason.WAITING),
)


async def look(
    system: System,
    spec: TopologySpec,
    made: set[str],
    may: Callable[[], Awaitable[None]],
    keep: Callable[[set[str]], Awaitable[None]],
) -> Look:
    """Bring a system nearer to what is declared.

    Args:
        system: the system.
        spec: what is declared.
        made: labels of what was made here before.
        may: asked before each step; raises where another process has taken over.
        keep: keeps what was made, so that a successor knows it.

    Raises:
        TopologyError: the system could not be seen, or was lost on the way; what was made is kept.
    """
    done = Look(set(made))
    failed: dict[str, str] = {}
    for _ in range(ROUNDS):
        seen = await system.observe()
        done.made &= set(seen)
        steps = _planned(system, spec, seen, done.made)
        todo = [step for step in steps if step.op in ACTS and step.label not in failed]
        if not todo:
            break
        failed |= await _take(system, todo, done, may, keep)
    else:
        seen = await system.observe()
        steps = _planned(system, spec, seen, done.made)
    done.items = _standing(spec, steps, failed)
    return done


def _planned(system: System, spec: TopologySpec, seen: Mapping[str, Found], made: set[str]) -> list[Step]:
    terms = Terms(frozenset(made), frozenset(spec.allow), spec.prune)
    return plan(system.kinds, system.prepared(spec.items, seen), seen, terms)


async def _take(
    system: System,
    steps: Sequence[Step],
    done: Look,
    may: Callable[[], Awaitable[None]],
    keep: Callable[[set[str]], Awaitable[None]],
) -> dict[str, str]:
    """Take steps; returns what the system said to those that it refused, by label."""
    failed: dict[str, str] = {}
    unkept = 0
    try:
        for step in steps:
            await may()
            try:
                made = await system.act(step)
            except StepError as error:
                failed[step.label] = str(error)
                continue
            log.info("written", op=step.op.value, item=step.label, reason=step.reason)
            done.written.append(step.label)
            if step.op is Op.DELETE:
                done.made.discard(step.label)
            elif made:
                done.made.add(step.label)
            unkept += 1
            if unkept % AT_ONCE == 0:
                await keep(done.made)
    finally:
        if unkept % AT_ONCE:
            await keep(done.made)
    return failed


def _standing(spec: TopologySpec, steps: Sequence[Step], failed: Mapping[str, str]) -> list[ItemStatus]:
    by_label = {step.label: step for step in steps}
    labels = [item.label for item in spec.items]
    others = [step.label for step in steps if step.item is None]
    return [_one(label, by_label.get(label), failed.get(label)) for label in [*labels, *others]]


def _one(label: str, step: Step | None, failed: str | None) -> ItemStatus:
    if failed is not None:
        return ItemStatus(label=label, state=State.FAILED, reason=failed, fix="see what the system says")
    if step is None:
        return ItemStatus(label=label, state=State.READY)
    state = {Op.REFUSE: State.REFUSED, Op.LEAVE: State.LEFT}.get(step.op, State.WAITING)
    return ItemStatus(label=label, state=state, reason=step.reason, fix=step.fix)

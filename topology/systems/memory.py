"""A system in memory, for the laws: it does what it is told, and loses what a real one would."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from topology.plan import Found, Kind, Op, Step, always

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from topology.api.spec import Item

KINDS = (
    Kind("account"),
    Kind("box", holds_data=True, fixed={"shape": always}, losing={"room": lambda was, now: now < (was or 0)}),
    Kind("wire", fixed={"to": always}),
)


@dataclass(slots=True)
class MemorySystem:
    """Items by label; ``log`` has every step that was taken, ``stranger`` what others made."""

    items: dict[str, Found] = field(default_factory=dict)
    log: list[Step] = field(default_factory=list)
    kinds: Sequence[Kind] = KINDS

    def prepared(self, items: Sequence[Item], seen: Mapping[str, Found]) -> list[Item]:  # noqa: ARG002 - nothing to read
        """As they are."""
        return list(items)

    async def observe(self) -> Mapping[str, Found]:
        """A copy."""
        return dict(self.items)

    async def act(self, step: Step) -> bool:
        """At once."""
        self.log.append(step)
        if step.op is Op.DELETE:
            self.items.pop(step.label, None)
            return False
        assert step.item is not None  # noqa: S101 - for the type checker
        was = self.items.get(step.label)
        kept = {} if was is None or step.op is Op.REPLACE else was.settings
        self.items[step.label] = Found(step.kind, {**kept, **step.item.settings}, step.item.name, step.item.within)
        return was is None

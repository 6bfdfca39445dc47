"""A driver without a cluster, for tests of what drives it: the same fence, the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.errors import StaleHolderError
from rollout.decide.observation import ShareFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout.api.spec import Spec


class MemoryDriver:
    """Weights in a dict.

    Attributes:
        weights: as last written; None while there is no route.
        epoch: highest that wrote.
        accepted: what :meth:`observe` says of it.
        problem: and why not.
        foreign_writer: who to say wrote last.
        failures: errors that the next shifts raise instead, first to last.
        history: every weight written, in order.
        disowned: whether it was left to itself.
    """

    def __init__(self) -> None:
        self.weights: dict[str, int] | None = None
        self.epoch = 0
        self.accepted = True
        self.problem = ""
        self.foreign_writer = ""
        self.failures: list[Exception] = []
        self.history: list[dict[str, int]] = []
        self.disowned = False

    def observe(self) -> ShareFacts:
        """The weights, and whether they count as accepted."""
        if self.weights is None:
            return ShareFacts()
        return ShareFacts(
            exists=True,
            weights=dict(self.weights),
            accepted=self.accepted,
            problem=self.problem,
            foreign_writer=self.foreign_writer,
        )

    async def shift(self, weights: Mapping[str, int], *, epoch: int) -> bool:
        """Take the weights, unless a failure is due or the epoch is over."""
        if self.failures:
            raise self.failures.pop(0)
        if epoch < self.epoch:
            raise StaleHolderError(f"the route carries epoch {self.epoch}, ours is {epoch}")
        self.epoch, self.foreign_writer = epoch, ""
        if self.weights == weights:
            return False
        self.weights = dict(weights)
        self.history.append(dict(weights))
        return True

    async def retire(self) -> None:
        """Forget the weights."""
        self.weights = None

    async def disown(self) -> None:
        """Note it."""
        self.disowned = True

    def plan_problems(self, spec: Spec) -> list[str]:  # noqa: ARG002 - as in the Protocol
        """It can do anything."""
        return []

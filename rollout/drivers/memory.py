"""Drivers without a cluster, for tests of what drives them: the same fence, the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kube.errors import StaleHolderError
from rollout.decide.capabilities import DEPLOYMENT, HTTPROUTE
from rollout.decide.observation import ShareFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout.api.spec import Spec
    from rollout.decide.capabilities import Kind


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

    kind: ClassVar[Kind] = HTTPROUTE

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


class MemoryWorkload:
    """Pods of each revision in a dict; every one is ready at once.

    Attributes:
        pods: how many were asked for, by revision.
        guarded: revisions whose last pod is kept.
        specs: noted, by revision.
        epoch: highest that wrote.
    """

    kind: ClassVar[Kind] = DEPLOYMENT

    def __init__(self) -> None:
        self.pods: dict[str, int] = {}
        self.guarded: set[str] = set()
        self.specs: dict[str, Spec] = {}
        self.epoch = 0

    async def prepare(self, spec: Spec, revision: str, replicas: int, *, epoch: int) -> bool:
        """Have so many pods of it."""
        self._fence(epoch)
        self.pods[revision], self.specs[revision] = replicas, spec
        return True

    async def scale(self, spec: Spec, revision: str, replicas: int, *, spare: int, epoch: int) -> bool:  # noqa: ARG002
        """Change their number."""
        self._fence(epoch)
        if revision not in self.pods:
            return False
        self.pods[revision] = replicas
        return True

    async def guard(self, spec: Spec, revision: str, *, keeps_last: bool, epoch: int) -> bool:  # noqa: ARG002
        """Note whether the last one is kept."""
        self._fence(epoch)
        if revision not in self.pods:
            return False
        (self.guarded.add if keeps_last else self.guarded.discard)(revision)
        return True

    async def retire(self, revision: str, *, epoch: int) -> None:
        """Forget it."""
        self._fence(epoch)
        self.pods.pop(revision, None)

    async def note_spec(self, revision: str, spec: Spec, *, epoch: int) -> None:
        """Note it."""
        self._fence(epoch)
        self.specs[revision] = spec

    def _fence(self, epoch: int) -> None:
        if epoch < self.epoch:
            raise StaleHolderError(f"the pods carry epoch {self.epoch}, ours is {epoch}")
        self.epoch = epoch

"""The hands of one term: what was decided is done with its epoch, and what of it is done is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.decide.actions import Finalize, KeepRecord, Remember, Shift
from rollout.engine.act import Actor
from rollout.engine.efforts import Efforts
from rollout.engine.spec_in_force import unknown_spec
from rollout.engine.upkeep import Upkeep

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from kube.kinds import Manifest
    from rollout.api.status import Status
    from rollout.decide.actions import Action
    from rollout.decide.observation import Failure, ShareFacts
    from rollout.engine.parts import Parts
    from rollout.engine.spec_in_force import InForce, SpecReader


class Hands:
    """Carries out actions for the holder of an epoch.

    Attributes:
        epoch: written with everything that is changed.
        written_at: when weights were written last; None where nobody knows.
        recorded: id of the release whose record is kept; empty for none.
        remembered: id of the release that was put into memory; empty for none.
        gone: the GrayRelease was let go.
    """

    def __init__(
        self, parts: Parts, manifest: Manifest, specs: SpecReader, status: Status, wake: asyncio.Event
    ) -> None:
        meta = manifest["metadata"]
        namespace, name, label = meta["namespace"], meta["name"], f"{meta['namespace']}/{meta['name']}"
        self._clock, self._specs, self._wake, self.epoch = parts.clock, specs, wake, status.epoch
        self._driver = parts.driver(manifest, specs.for_route)
        self._actor = Actor(parts.cluster, self._driver, namespace=namespace, name=name, uid=meta["uid"])
        self._upkeep, self._efforts = Upkeep(self._actor, label, self.epoch), Efforts(label)
        self.written_at, self.recorded, self.remembered, self.gone = status.written_at, "", "", False

    @property
    def failures(self) -> Mapping[str, Failure]:
        """The newest failure of each class of actions that is still to be done."""
        return self._efforts.failures

    def share(self) -> ShareFacts:
        """Where the traffic goes, as far as the route says it."""
        return self._driver.observe()

    def due_in(self) -> float | None:
        """Seconds until something can be tried again; None where nothing failed."""
        return self._efforts.due_in(self._clock())

    def want(self, actions: Sequence[Action]) -> None:
        """Forget the failures of all other actions: nobody wants those any more."""
        self._efforts.want(actions)

    async def perform(self, actions: Sequence[Action], *, urgent: bool = False) -> bool:
        """Do them in order; whether none of them has failed.

        Raises:
            StaleHolderError: another holder is at work.
        """
        return await self._efforts.perform(actions, self._do, self._clock, urgent=urgent)

    async def _do(self, action: Action) -> None:
        known = self._specs.in_force
        done = await self._actor.perform(action, known.spec if known else unknown_spec(), epoch=self.epoch)
        if not done:
            return
        if isinstance(action, Shift):
            self.written_at = self._clock()
            self._wake.set()
        elif isinstance(action, KeepRecord):
            self.recorded = action.release.id
        elif isinstance(action, Remember):
            self.remembered = action.release.id
        elif isinstance(action, Finalize):
            self.gone = True

    async def adopt(self) -> tuple[str, ...]:
        """Take over what an earlier GrayRelease of this name left behind; what was taken over, a sentence each.

        Raises:
            KubeError: the API server did not take it.
        """
        return tuple(await self._actor.adopt())

    async def keep_up(self, seen: Manifest, newest: Manifest, known: InForce, desired: str) -> bool:
        """Keep true what is beside the release; False where that is to be tried again at once."""
        stays = await self._upkeep.stay(seen, newest)
        await self._upkeep.note_spec(known, desired)
        return stays

"""What is kept true beside the release itself: that its deletion waits for us, and that its spec can be found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from kube.errors import ConflictError, KubeError
from rollout.api.spec import FINALIZER
from rollout.engine import metrics

if TYPE_CHECKING:
    from kube.kinds import Manifest
    from rollout.engine.act import Actor
    from rollout.engine.spec_in_force import InForce

log: Any = structlog.get_logger()


class Upkeep:
    """Small writes of which none is worth an error: where one fails, the next look tries."""

    def __init__(self, actor: Actor, release: str, epoch: int) -> None:
        self._actor, self._release, self._epoch = actor, release, epoch
        self._noted = -1

    async def stay(self, seen: Manifest, newest: Manifest) -> bool:
        """Make sure that deleting the GrayRelease waits for us; False where somebody else wrote it just then."""
        meta = seen["metadata"]
        if meta.get("deletionTimestamp") or FINALIZER in (meta.get("finalizers") or ()):
            return True
        try:
            await self._actor.add_finalizer(newest)
        except ConflictError:
            return False
        except KubeError as error:
            self._failed("Finalizer", error)
        return True

    async def note_spec(self, known: InForce, desired: str) -> None:
        """Note a valid spec on the revision that it wants, once for each generation."""
        if not known.complete or self._noted == known.generation or desired != known.revision:
            return
        try:
            await self._actor.note_spec(known.revision, known.spec, epoch=self._epoch)
            self._noted = known.generation
        except KubeError as error:
            self._failed("NoteSpec", error)

    def _failed(self, what: str, error: KubeError) -> None:
        metrics.FAILURES.labels(what).inc()
        log.warning("not written", what=what, release=self._release, error=str(error))

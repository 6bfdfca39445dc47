"""The beginning of a term: what a predecessor promised is read, and a rollback under way is carried on first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from kube.errors import KubeError
from rollout.api.status import Phase
from rollout.decide.actions import Shift
from rollout.decide.desired_state import weights_of
from rollout.drivers.httproute.patch import epoch_on
from rollout.engine.hands import Hands
from rollout.engine.keeping import Keeper
from rollout.engine.spec_in_force import SpecReader
from rollout.engine.store import StatusStore
from rollout.engine.take_over import caught_up, served_before
from rollout.engine.term import Term

if TYPE_CHECKING:
    import asyncio

    from rollout.api.status import Status
    from rollout.engine.parts import Parts

log: Any = structlog.get_logger()


async def begin(parts: Parts, key: tuple[str, str], lease_epoch: int, wake: asyncio.Event) -> Term:
    """A term with an epoch above all that were: the lease's, the status' and the route's own.

    Raises:
        ReleaseGoneError: the GrayRelease is gone.
        StaleHolderError: another holder is at work.
        KubeError: the API server did not answer.
    """
    store = StatusStore(parts.cluster, *key)
    manifest = await store.load()
    mine = {"epoch": _epoch(parts, key, lease_epoch, store.persisted.epoch), "holder": parts.identity}
    status = caught_up(store.persisted, parts.clock()).model_copy(update=mine)
    specs = SpecReader(key[1], key[0])
    specs.read(manifest, status, parts.mirror.deployments(key))
    hands = Hands(parts, manifest, specs, status, wake)
    if status.phase is Phase.ROLLING_BACK and (weights := weights_of(status)):
        await hands.perform([Shift(weights)], urgent=True)
    left = await _taken_over(hands, key)
    status, served = _with_what_served(parts, key, status)
    keeper = Keeper(parts.cluster, store, *key)
    hands.recorded = await keeper.last_record(status)
    recorded = ""
    if status.release and specs.in_force and specs.in_force.spec.is_recorded:
        recorded = await keeper.recording_of(status.release.id)
    return Term(parts, key, wake, store, specs, hands, keeper, manifest, status, (*left, *served), recorded)


def _epoch(parts: Parts, key: tuple[str, str], of_lease: int, of_status: int) -> int:
    route = parts.mirror.routes(key[0]).objects.get(key)
    return max(of_lease, of_status + 1, (epoch_on(route) or 0) + 1 if route else 1)


async def _taken_over(hands: Hands, key: tuple[str, str]) -> tuple[str, ...]:
    """Take over what an earlier GrayRelease of this name left; a sentence each."""
    try:
        return await hands.adopt()
    except KubeError as error:
        log.warning("not taken over yet", release="/".join(key), error=str(error))
        return ()


def _with_what_served(parts: Parts, key: tuple[str, str], status: Status) -> tuple[Status, tuple[str, ...]]:
    """The status with the version that an earlier GrayRelease of this name served, and that it was taken for stable."""
    served = None
    if status.stable is None and status.phase is Phase.IDLE:
        served = served_before(parts.mirror, key, parts.clock())
    if served is None:
        return status, ()
    told = f"{served.image or served.revision} serves already, and is taken for stable"
    return status.model_copy(update={"stable": served}), (told,)

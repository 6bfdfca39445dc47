"""What outlives a holder: the status before anything it promises is done, records and recordings beside the work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from kube.errors import KubeError
from kube.kinds import CONFIG_MAP
from rollout.api.revision import MANAGER, owner_of
from rollout.records import recorder as recordings
from rollout.records.record import config_map_name

if TYPE_CHECKING:
    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.api.status import Status
    from rollout.engine.judge_session import JudgeSession
    from rollout.engine.store import StatusStore
    from rollout.records.recorder import Recorder

log: Any = structlog.get_logger()
SAVE_EVERY = 3.0
RECORD_EVERY = 60.0
TOLD_EVERY = 1.0
"""What only tells people how things stand is written so often at most."""

TOLD = {"looked_at", "waiting", "conditions", "analysis", "judge", "told"}
"""Fields on which nothing depends that is done now."""


class Keeper:
    """Writes for one release, and reads what a predecessor wrote."""

    def __init__(self, cluster: Cluster, store: StatusStore, namespace: str, name: str) -> None:
        self._cluster, self._store, self._namespace, self._name = cluster, store, namespace, name
        self._saved_at = self._told_at = self._recorded_at = float("-inf")
        self._lock = asyncio.Lock()

    async def keep(self, status: Status, session: JudgeSession, now: float) -> Status:
        """Persist a status, with the judge's sums now and then; returns it as it is in force.

        What only tells how things stand may wait, and no look depends on it.

        Raises:
            StaleHolderError: another holder is at work.
            ReleaseGoneError: the GrayRelease is gone.
            KubeError: the server did not take something that must be known before it is done.
        """
        persisted = self._store.persisted
        judged = session.assessment is not None and now - self._saved_at >= SAVE_EVERY
        if judged or status.phase is not persisted.phase:
            status = session.checkpoint(status)
        if _promises(status) != _promises(persisted):
            status = await self._store.save(status)
            self._saved_at = self._told_at = now
        elif judged or (_tells(status) != _tells(persisted) and now - self._told_at >= TOLD_EVERY):
            status = await self._tell(status, now)
        return status

    async def _tell(self, status: Status, now: float) -> Status:
        self._saved_at = self._told_at = now
        try:
            return await self._store.save(status)
        except KubeError as error:
            log.warning("status not told", release=f"{self._namespace}/{self._name}", error=str(error))
            return status

    # ------------------------------------------------------------------ records and recordings

    async def last_record(self, status: Status) -> str:
        """Id of the last release if its record is kept; empty where it is not, or nobody can say."""
        if status.last is None:
            return ""
        name = config_map_name(self._name, status.last.id)
        return status.last.id if await self._find(name) else ""

    async def recording_of(self, identity: str) -> str:
        """What a predecessor has recorded of a release; nothing where it is damaged or not there."""
        found = await self._find(recordings.config_map_name(self._name, identity))
        try:
            return recordings.lines_in(found) if found else ""
        except ValueError as error:
            log.warning("the recording begins anew", release=f"{self._namespace}/{self._name}", error=str(error))
            return ""

    async def _find(self, name: str) -> Manifest | None:
        try:
            return await self._cluster.find(CONFIG_MAP, name, self._namespace)
        except KubeError as error:
            log.warning("not read", config_map=f"{self._namespace}/{name}", error=str(error))
            return None

    def is_due(self, now: float, *, turned: bool) -> bool:
        """Whether the recording is to be written: now and then, and when a phase ends."""
        due = turned or now - self._recorded_at >= RECORD_EVERY
        if due:
            self._recorded_at = now
        return due

    async def record(self, recorder: Recorder, identity: str, uid: str) -> None:
        """Write the recording of a release: one after the other, each with the newest content."""
        async with self._lock:
            owner = owner_of(self._name, uid)
            kept = recordings.config_map_of(self._name, self._namespace, identity, recorder.finished(), owner)
            try:
                await self._cluster.apply(kept, manager=MANAGER, force=True)
            except KubeError as error:
                log.warning("recording not kept", release=f"{self._namespace}/{self._name}", error=str(error))


def _promises(status: Status) -> dict[str, Any]:
    """What a successor must know."""
    return {name: value for name, value in status if name not in TOLD}


def _tells(status: Status) -> tuple[Any, ...]:
    return status.waiting, status.conditions, status.told

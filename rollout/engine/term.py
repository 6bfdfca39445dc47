"""One holder's time in charge of a release: born when it takes over, gone with the lease.

Each look is observe, decide, persist, act. What a successor must know is persisted before it is done; weight 0 of a
rollback alone does not wait for that, because it is right whatever else is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from kube.errors import KubeError
from rollout.api.status import Phase, Waiting
from rollout.decide.actions import Finalize, Shift
from rollout.decide.context import Context
from rollout.decide.decide import UNDER_WAY, decide
from rollout.engine import metrics, report
from rollout.engine.beside import beside
from rollout.engine.conditions import with_conditions
from rollout.engine.efforts import FIRST_SECONDS
from rollout.engine.judge_session import JudgeSession, is_judged
from rollout.engine.observe import count_share, observation_of, revisions_of
from rollout.engine.rhythm import Rhythm
from rollout.engine.take_over import with_journal_of
from rollout.engine.telling import Teller
from rollout.engine.watching import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kube.kinds import Manifest
    from rollout.api.spec import Spec
    from rollout.api.status import Status
    from rollout.decide.actions import Action
    from rollout.decide.observation import Observation
    from rollout.engine.hands import Hands
    from rollout.engine.keeping import Keeper
    from rollout.engine.parts import Parts
    from rollout.engine.spec_in_force import InForce, SpecReader
    from rollout.engine.store import StatusStore
    from rollout.judge import Assessment

log: Any = structlog.get_logger()


class Term:
    """Carries out one GrayRelease with an epoch; :func:`rollout.engine.beginning.begin` makes one.

    Args:
        parts: what it is built from.
        key: ``(namespace, name)``.
        wake: set when something changed.
        store: keeps the status.
        specs: reads the spec.
        hands: do what is decided.
        keeper: writes what outlives this holder.
        manifest: the GrayRelease as it was taken over.
        status: as it was taken over, with this holder's epoch.
        left: what was taken over from an earlier GrayRelease, a sentence each.
        recorded: what a predecessor has recorded of the release in flight.

    Attributes:
        status: as decided last.
    """

    def __init__(
        self,
        parts: Parts,
        key: tuple[str, str],
        wake: asyncio.Event,
        store: StatusStore,
        specs: SpecReader,
        hands: Hands,
        keeper: Keeper,
        manifest: Manifest,
        status: Status,
        left: tuple[str, ...],
        recorded: str,
    ) -> None:
        self._parts, self._key, self._wake, self._store = parts, key, wake, store
        self._specs, self._hands, self._keeper = specs, hands, keeper
        self.status, self._left, self._recorded_before = status, left, recorded
        self._session = JudgeSession()
        self._watch = Watch(parts, key, wake, lambda: self.status, self._session)
        self._rhythm = Rhythm(parts, key, wake)
        self._teller = Teller(parts, manifest, store.persisted)

    @property
    def gone(self) -> bool:
        """Whether the GrayRelease was let go."""
        return self._hands.gone

    async def end(self) -> None:
        """Stop reading sources and telling, and forget what was told of the release."""
        try:
            await self._watch.stop()
        finally:
            self._parts.load.leave(self._key)
            report.forget(*self._key)  # last: a source that still answers would bring its metric back
            await self._teller.stop()

    async def pause(self) -> None:
        """Wait until something changes, until something is to be tried again, or until it is time to look anyway."""
        known = self._specs.in_force
        settles = known.spec.strategy.drain + 1.0 if known else 0.0
        await self._rhythm.pause(self.status, self._hands.due_in(), settles, self._watch.is_suspicious)

    # ------------------------------------------------------------------ one look

    async def look(self) -> None:
        """Observe, decide, persist, act.

        Raises:
            StaleHolderError: another holder is at work.
            ReleaseGoneError: the GrayRelease is gone.
            KubeError: what was decided could not be persisted; nothing was done but what a rollback must do.
        """
        manifest = await self._newest()
        self._catch_up()
        now, late = self._rhythm.on_time()
        self.status = self.status.shifted(late) if late else self.status
        self._specs.read(manifest, self.status, self._parts.mirror.deployments(self._key))
        known = self._specs.in_force
        if known is None:
            await self._without_spec(manifest, now)
            return
        with metrics.LOOK.time():
            turned = await self._decided(manifest, known, now)
            await self._watch.follow(known.spec)
            turned = await self._keep_up(manifest, known) or turned
        if turned:
            self._wake.set()

    async def _keep_up(self, manifest: Manifest, known: InForce) -> bool:
        """Keep true what is beside the release; whether that is to be tried again at once."""
        if self.gone:
            return False
        newest = self._store.newest or manifest
        return not await self._hands.keep_up(manifest, newest, known, self.status.desired_revision)

    async def _decided(self, manifest: Manifest, known: InForce, now: float) -> bool:
        """Decide and do it; whether another phase or step has begun, which is looked at again at once."""
        before = self._held_anew(known.spec, now)
        seen = self._observe(manifest, known, before, now)
        decided, actions = decide(known.spec, before, seen, now)
        ctx = Context(known.spec, decided, seen, now)
        self._hands.want(actions)
        if decided.phase is Phase.ROLLING_BACK:
            await self._turn_round(manifest, ctx, [each for each in actions if isinstance(each, Shift)])
        else:
            await self._keep(manifest, ctx)
        self._teller.besides(manifest, Context(known.spec, before, seen, now))
        await self._hands.perform(actions, urgent=decided.phase is Phase.ROLLING_BACK)
        return decided.phase is not before.phase or decided.step != before.step

    async def _newest(self) -> Manifest:
        """The GrayRelease at its newest: the mirror's, unless the server has answered with a later one since."""
        mirrored, answered = self._parts.mirror.release(self._key), self._store.newest
        if mirrored is None:
            return await self._store.load()
        newest = answered if answered is not None and _version(answered) > _version(mirrored) else mirrored
        if int(newest["metadata"].get("generation", 0)) < max(self._specs.newest, self.status.observed_generation):
            return await self._store.load()  # the mirror is silent: what it shows is history
        return newest

    def _catch_up(self) -> None:
        """Go on from what was persisted although nobody answered; a rollback as it is, with that in its journal."""
        if not self._store.moved:
            return
        self._store.moved = False
        ahead = self.status.phase is Phase.ROLLING_BACK and self._store.persisted.phase in UNDER_WAY | {Phase.BAKING}
        self.status = with_journal_of(self.status, self._store.persisted) if ahead else self._store.persisted

    def _held_anew(self, spec: Spec, now: float) -> Status:
        """Have the judge sit. A step that is judged by something else from now on is held anew."""
        changed = self._session.start(self.status, spec, self._recorded_before)
        if not changed or self.status.verified_at is None or self.status.phase is not Phase.STEPPING:
            return self.status
        return self.status.model_copy(update={"verified_at": None, "phase_since": now})

    def _observe(self, manifest: Manifest, known: InForce, status: Status, now: float) -> Observation:
        mirror, hands = self._parts.mirror, self._hands
        assessment = self._assess(status, now)
        since = status.written_at or hands.written_at
        return observation_of(
            manifest,
            revision=known.revision,
            image=known.image,
            revisions=revisions_of(mirror.deployments(self._key), mirror.pods(self._key), now, mirror.leaves),
            share=count_share(hands.share(), self._watch.meter, since, now),
            assessment=assessment,
            assessed_at=self._session.assessed_at if assessment is not None else None,
            failures=dict(hands.failures),
            notes=self._notes(),
            written_at=hands.written_at,
            recorded=hands.recorded,
            watching_since=self._rhythm.watching_since,
            sees_nodes=mirror.sees_nodes,
            no_room=self._parts.load.no_room(self._key, status),
            digest=known.digest,
            approvals=mirror.approvals.look(self._key, known.spec),
            desired_pair=known.pair,
            memory=mirror.memories.read(),
            remembered=hands.remembered,
        )

    def _notes(self) -> tuple[str, ...]:
        """What people should know and no decision depends on."""
        known = self._specs.in_force
        old = known.spec.old_names if known else ()
        strangers, left_out = self._parts.mirror.strangers(self._key), self._watch.remarks.notes
        told = (self._specs.mistake, *old, *self._store.unreadable, *self._left, *strangers, *left_out)
        return tuple(filter(None, told))

    def _assess(self, status: Status, now: float) -> Assessment | None:
        """What the judge says now. One that breaks says nothing, which is never taken for good."""
        try:
            self._session.update(status, self._watch.take(), now)
        except Exception:  # the judge must not keep its release from being taken back
            metrics.FAILURES.labels("Judge").inc()
            log.exception("the judge broke", release="/".join(self._key))
            return None
        return self._session.assessment if is_judged(status) else None

    # ------------------------------------------------------------------ persisting

    async def _keep(self, manifest: Manifest, ctx: Context) -> None:
        """Persist what was decided, then hold it in force and tell it."""
        in_force = self._specs.in_force
        generation = in_force.generation if in_force else 0
        beside_it = {"spec_generation": generation, "told": self._teller.cursors(self.status)}
        decided = with_conditions(ctx).model_copy(update=beside_it)
        turned = decided.phase is not self._store.persisted.phase
        self.status = await self._keeper.keep(decided, self._session, ctx.now)
        if self._session.recorder is not None and self._keeper.is_due(ctx.now, turned=turned):
            uid = manifest["metadata"]["uid"]
            beside(self._keeper.record(self._session.recorder, self._session.identity, uid))
        self._teller.news(self.status)

    async def _turn_round(self, manifest: Manifest, ctx: Context, shifts: Sequence[Action]) -> None:
        """Write weight 0 and persist the decision side by side: neither waits for the other.

        Where it cannot be persisted, it is in force all the same as long as this holder lives: a rollback is never
        reconsidered because the server refused a status.
        """
        keeping = asyncio.ensure_future(self._keep(manifest, ctx))
        try:
            while not await self._hands.perform(shifts, urgent=True) and not keeping.done():
                await asyncio.wait([keeping], timeout=self._hands.due_in() or FIRST_SECONDS)
            await keeping
        except KubeError:
            self.status = ctx.status
            raise
        finally:
            keeping.cancel()

    async def _without_spec(self, manifest: Manifest, now: float) -> None:
        """No spec was ever valid: that is told, and the GrayRelease can be deleted."""
        if manifest["metadata"].get("deletionTimestamp"):
            orphan = (manifest.get("spec") or {}).get("deletion") == "Orphan"
            await self._hands.perform([Finalize(orphan=orphan)])
            return
        known = self._store.persisted.waiting
        reason = self._specs.mistake
        since = known.since if known and known.reason == reason else now
        waiting = Waiting(reason=reason, since=since)
        self.status = await self._keeper.keep(self.status.model_copy(update={"waiting": waiting}), self._session, now)


def _version(manifest: Manifest) -> int:
    """Resource versions are opaque but for this: those of etcd are numbers that grow."""
    version = str(manifest["metadata"].get("resourceVersion", ""))
    return int(version) if version.isdecimal() else -1

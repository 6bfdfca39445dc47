"""One holder's time in charge of a release: born when it takes over, gone with the lease.

Each look is observe, decide, persist, act. What a successor must know is persisted before it is done; weight 0 of a
rollback alone does not wait for that, because it is right whatever else is.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from kube.errors import KubeError
from rollout.api.status import Phase, Waiting
from rollout.decide.actions import Finalize, KeepRecord, Shift
from rollout.decide.context import Context
from rollout.decide.decide import UNDER_WAY, decide
from rollout.decide.desired_state import weights_of
from rollout.engine import metrics, report
from rollout.engine.act import Actor
from rollout.engine.conditions import with_conditions
from rollout.engine.efforts import FIRST_SECONDS, Efforts
from rollout.engine.judge_session import JudgeSession, is_judged
from rollout.engine.keeping import Keeper
from rollout.engine.observe import count_share, observation_of, revisions_of
from rollout.engine.spec_in_force import SpecReader, unknown_spec
from rollout.engine.take_over import caught_up, served_before, with_journal_of
from rollout.engine.telling import Teller, beside
from rollout.engine.upkeep import Upkeep
from rollout.engine.watching import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kube.kinds import Manifest
    from rollout.api.spec import Spec
    from rollout.api.status import Status
    from rollout.decide.actions import Action
    from rollout.decide.observation import Observation
    from rollout.drivers import Driver
    from rollout.engine.parts import Parts
    from rollout.engine.spec_in_force import InForce
    from rollout.engine.store import StatusStore
    from rollout.judge import Assessment

log: Any = structlog.get_logger()
IN_FLIGHT_WAIT, WAITING_WAIT, IDLE_WAIT = 0.5, 2.0, 10.0
LATE_SECONDS = 3.0
"""A look that comes so much later than it should was not in time, and the clocks stood still meanwhile."""


@dataclass(slots=True)
class Term:
    """Carries out one GrayRelease with an epoch.

    Attributes:
        parts: what it is built from.
        key: ``(namespace, name)``.
        store: keeps the status.
        wake: set when something changed.
        epoch: written with everything that is changed.
        status: as decided last.
        gone: the GrayRelease was let go.
    """

    parts: Parts
    key: tuple[str, str]
    store: StatusStore
    wake: asyncio.Event
    epoch: int
    status: Status
    gone: bool = False
    _driver: Driver = field(init=False)
    _actor: Actor = field(init=False)
    _upkeep: Upkeep = field(init=False)
    _specs: SpecReader = field(init=False)
    _efforts: Efforts = field(init=False)
    _keeper: Keeper = field(init=False)
    _teller: Teller = field(init=False)
    _watch: Watch = field(init=False)
    _session: JudgeSession = field(default_factory=JudgeSession)
    _written_at: float | None = None
    _recorded: str = ""
    _before: str = ""
    _left: tuple[str, ...] = ()
    _watching_since: float = 0.0
    _expected_at: float = 0.0
    _looked_at: float = 0.0

    def __post_init__(self) -> None:
        parts, (namespace, name) = self.parts, self.key
        self._specs = SpecReader(name)
        self._efforts = Efforts("/".join(self.key))
        self._keeper = Keeper(parts.cluster, self.store, namespace, name)
        self._teller = Teller(parts.cluster)
        self._watch = Watch(parts, self.key, self.wake, lambda: self.status, self._session)

    # ------------------------------------------------------------------ beginning and end

    async def begin(self, manifest: Manifest) -> None:
        """Read what a predecessor promised. A rollback under way is carried on before anything else is looked at."""
        now = self.parts.clock()
        self.store.moved = False
        mine = {"epoch": self.epoch, "holder": self.parts.identity}
        self.status = caught_up(self.status, now).model_copy(update=mine)
        self._watching_since = self._expected_at = now
        self._written_at = self.status.written_at
        self._driver = self.parts.driver(manifest, self._route_spec)
        uid, (namespace, name) = manifest["metadata"]["uid"], self.key
        self._actor = Actor(self.parts.cluster, self._driver, namespace=namespace, name=name, uid=uid)
        self._upkeep = Upkeep(self._actor, "/".join(self.key), self.epoch)
        self._read(manifest)
        if self.status.phase is Phase.ROLLING_BACK and (weights := weights_of(self.status)):
            await self._perform([Shift(weights)], urgent=True)
        await self._take_what_was_left(now)
        self._recorded = await self._keeper.last_record(self.status)
        if self.status.release and self._specs.in_force and self._specs.in_force.spec.record:
            self._before = await self._keeper.recording_of(self.status.release.id)

    async def _take_what_was_left(self, now: float) -> None:
        """Take over what an earlier GrayRelease of this name left, and the version that it served; all of it told."""
        try:
            self._left = tuple(await self._actor.adopt())
        except KubeError as error:
            log.warning("not taken over yet", release="/".join(self.key), error=str(error))
        if self.status.stable is None and self.status.phase is Phase.IDLE:
            served = served_before(self.parts.world, self.key, now)
            self.status = self.status.model_copy(update={"stable": served})
            told = f"{served.image or served.revision} serves already, and is taken for stable" if served else ""
            self._left = tuple(filter(None, (*self._left, told)))

    async def end(self) -> None:
        """Stop reading sources, and forget what was told of the release."""
        try:
            await self._watch.stop()
        finally:
            self.parts.load.leave(self.key)
            report.forget(*self.key)  # last: a source that still answers would bring its metric back

    async def pause(self) -> None:
        """Wait until something changes, until something is to be tried again, or until it is time to look anyway."""
        patience = self._patience()
        self._looked_at = self.parts.clock()
        self._expected_at = self.parts.clock() + patience
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self.wake.wait()
                await asyncio.sleep(self._gap())
        self.wake.clear()

    def _gap(self) -> float:
        """Seconds before the next look where the engine is full; a release that may have to turn round has none."""
        if self.status.phase is Phase.ROLLING_BACK or self._watch.is_suspicious():
            return 0.0
        return max(0.0, self._looked_at + self.parts.load.gap() - self.parts.clock())

    def _patience(self) -> float:
        """Seconds until the next look when nothing wakes it: short while something is under way or being drained."""
        now, known = self.parts.clock(), self._specs.in_force
        drained = (self.status.phase_since or 0.0) + known.spec.strategy.drain + 1.0 if known else 0.0
        usual = IN_FLIGHT_WAIT if self.status.in_flight or now < drained else IDLE_WAIT
        if self.parts.load.waits(self.key):
            usual = WAITING_WAIT
        due = self._efforts.due_in(now)
        return usual if due is None else min(usual, due)

    # ------------------------------------------------------------------ one look

    async def look(self) -> None:
        """Observe, decide, persist, act.

        Raises:
            OvertakenError: another holder is at work.
            StaleHolderError: another holder is at work.
            ReleaseGoneError: the GrayRelease is gone.
            KubeError: what was decided could not be persisted; nothing was done but what a rollback must do.
        """
        manifest = await self._newest()
        self._catch_up()
        now = self._on_time()
        self._read(manifest)
        known = self._specs.in_force
        if known is None:
            await self._without_spec(manifest, now)
            return
        with metrics.LOOK.time():
            turned = await self._decided(manifest, known, now)
            await self._watch.follow(known.spec)
            turned = await self._keep_up(manifest, known) or turned
        if turned:
            self.wake.set()

    async def _keep_up(self, manifest: Manifest, known: InForce) -> bool:
        """Keep true what is beside the release; whether that is to be tried again at once."""
        if self.gone:
            return False
        stays = await self._upkeep.stay(manifest, self.store.newest or manifest)
        await self._upkeep.note_spec(known, self.status.desired_revision)
        return not stays

    async def _decided(self, manifest: Manifest, known: InForce, now: float) -> bool:
        """Decide and do it; whether another phase or step has begun, which is looked at again at once."""
        before = self._held_anew(known.spec, now)
        seen = self._observe(manifest, known, before, now)
        decided, actions = decide(known.spec, before, seen, now)
        ctx = Context(known.spec, decided, seen, now)
        self._efforts.want(actions)
        if decided.phase is Phase.ROLLING_BACK:
            await self._turn_round(manifest, ctx, [each for each in actions if isinstance(each, Shift)])
        else:
            await self._keep(manifest, ctx)
        self._teller.besides(manifest, Context(known.spec, before, seen, now))
        await self._perform(actions, urgent=decided.phase is Phase.ROLLING_BACK)
        return decided.phase is not before.phase or decided.step != before.step

    async def _newest(self) -> Manifest:
        """The GrayRelease at its newest: the mirror's, unless the server has answered with a later one since."""
        mirrored, answered = self.parts.world.release(self.key), self.store.newest
        if mirrored is None:
            return await self.store.load()
        newest = answered if answered is not None and _version(answered) > _version(mirrored) else mirrored
        if int(newest["metadata"].get("generation", 0)) < max(self._specs.newest, self.status.observed_generation):
            return await self.store.load()  # the mirror is silent: what it shows is history
        return newest

    def _catch_up(self) -> None:
        """Go on from what was persisted although nobody answered; a rollback as it is, with that in its journal."""
        if not self.store.moved:
            return
        self.store.moved = False
        ahead = self.status.phase is Phase.ROLLING_BACK and self.store.persisted.phase in UNDER_WAY | {Phase.BAKING}
        self.status = with_journal_of(self.status, self.store.persisted) if ahead else self.store.persisted

    def _on_time(self) -> float:
        """The time of this look. Time in which nobody could look is no time waited: not late, and not blind."""
        now = self.parts.clock()
        late, self._expected_at = now - self._expected_at, now
        self.parts.load.late(late)
        if late > LATE_SECONDS:
            self.status = self.status.shifted(late)
        if not self.parts.world.healthy_in(self.key[0]):
            self._watching_since = now
        return now

    def _read(self, manifest: Manifest) -> None:
        self._specs.read(manifest, self.status, self.parts.world.deployments(self.key))

    def _route_spec(self) -> Spec:
        """The spec as the driver knows it: where the route's shape is not known, it has none."""
        known = self._specs.in_force
        if known is None:
            raise LookupError(f"{'/'.join(self.key)} has no valid spec")
        return known.spec if known.complete else known.spec.model_copy(update={"traffic": None})

    def _held_anew(self, spec: Spec, now: float) -> Status:
        """Have the judge sit. A step that is judged by something else from now on is held anew."""
        changed = self._session.start(self.status, spec, self._before)
        if not changed or self.status.verified_at is None or self.status.phase is not Phase.STEPPING:
            return self.status
        return self.status.model_copy(update={"verified_at": None, "phase_since": now})

    def _observe(self, manifest: Manifest, known: InForce, status: Status, now: float) -> Observation:
        world = self.parts.world
        assessment = self._assess(status, now)
        since = status.written_at or self._written_at
        return observation_of(
            manifest,
            revision=known.revision,
            image=known.image,
            revisions=revisions_of(world.deployments(self.key), world.pods(self.key), now, world.leaves),
            share=count_share(self._driver.observe(), self._watch.meter, since, now),
            assessment=assessment,
            assessed_at=self._session.assessed_at if assessment is not None else None,
            failures=dict(self._efforts.failures),
            notes=self._notes(),
            written_at=self._written_at,
            recorded=self._recorded,
            watching_since=self._watching_since,
            sees_nodes=world.sees_nodes,
            no_room=self.parts.load.no_room(self.key, status),
        )

    def _notes(self) -> tuple[str, ...]:
        """What people should know and no decision depends on."""
        strangers, left_out = self.parts.world.strangers(self.key), self._watch.remarks.notes
        return tuple(filter(None, (self._specs.mistake, *self.store.unreadable, *self._left, *strangers, *left_out)))

    def _assess(self, status: Status, now: float) -> Assessment | None:
        """What the judge says now. One that breaks says nothing, which is never taken for good."""
        try:
            self._session.update(status, self._watch.take(), now)
        except Exception:  # the judge must not keep its release from being taken back
            metrics.FAILURES.labels("Judge").inc()
            log.exception("the judge broke", release="/".join(self.key))
            return None
        return self._session.assessment if is_judged(status) else None

    # ------------------------------------------------------------------ persisting

    async def _keep(self, manifest: Manifest, ctx: Context) -> None:
        """Persist what was decided, then hold it in force and tell it."""
        before, in_force = self.status, self._specs.in_force
        generation = in_force.generation if in_force else 0
        decided = with_conditions(ctx).model_copy(update={"spec_generation": generation})
        turned = decided.phase is not self.store.persisted.phase
        self.status = await self._keeper.keep(decided, self._session, ctx.now)
        if self._session.recorder is not None and self._keeper.is_due(ctx.now, turned=turned):
            uid = manifest["metadata"]["uid"]
            beside(self._keeper.record(self._session.recorder, self._session.identity, uid))
        self._teller.news(manifest, before, self.status)

    async def _turn_round(self, manifest: Manifest, ctx: Context, shifts: Sequence[Action]) -> None:
        """Write weight 0 and persist the decision side by side: neither waits for the other.

        Where it cannot be persisted, it is in force all the same as long as this holder lives: a rollback is never
        reconsidered because the server refused a status.
        """
        keeping = asyncio.ensure_future(self._keep(manifest, ctx))
        try:
            while not await self._perform(shifts, urgent=True) and not keeping.done():
                await asyncio.wait([keeping], timeout=self._efforts.due_in(self.parts.clock()) or FIRST_SECONDS)
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
            await self._perform([Finalize(orphan=orphan)])
            return
        known = self.store.persisted.waiting
        reason = self._specs.mistake
        since = known.since if known and known.reason == reason else now
        waiting = Waiting(reason=reason, since=since)
        self.status = await self._keeper.keep(self.status.model_copy(update={"waiting": waiting}), self._session, now)

    # ------------------------------------------------------------------ acting

    async def _perform(self, actions: Sequence[Action], *, urgent: bool = False) -> bool:
        return await self._efforts.perform(actions, self._do, self.parts.clock, urgent=urgent)

    async def _do(self, action: Action) -> None:
        known = self._specs.in_force
        done = await self._actor.perform(action, known.spec if known else unknown_spec(), epoch=self.epoch)
        if not done:
            return
        if isinstance(action, Shift):
            self._written_at = self.parts.clock()
            self.wake.set()
        elif isinstance(action, KeepRecord):
            self._recorded = action.release.id
        elif isinstance(action, Finalize):
            self.gone = True


def _version(manifest: Manifest) -> int:
    """Resource versions are opaque but for this: those of etcd are numbers that grow."""
    version = str(manifest["metadata"].get("resourceVersion", ""))
    return int(version) if version.isdecimal() else -1

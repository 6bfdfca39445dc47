"""One worker per release: take the lease, then look, decide, persist, act, until the release is gone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from kube.errors import ConflictError, KubeError, NotFoundError
from kube.kinds import CONFIG_MAP
from rollout import recordings
from rollout.actions import Finalize, KeepRecord, Shift
from rollout.context import Context
from rollout.decide import decide
from rollout.desire import weights_of
from rollout.drift import WHAT as DRIFT
from rollout.drift import drift_of
from rollout.drivers import StaleHolderError
from rollout.engine import metrics, report
from rollout.engine.act import Actor
from rollout.engine.conditions import with_conditions
from rollout.engine.judging import Bench, is_judged
from rollout.engine.lease import LeaseLostError, ReleaseLease
from rollout.engine.look import arms_of, command_mistake, count_share, counted, observation_of, revisions_of
from rollout.engine.sampling import Sampler
from rollout.engine.store import OvertakenError, StatusStore
from rollout.record import config_map_name
from rollout.revision import MANAGER, owner_of
from rollout.sources.roster import Roster, roster_of
from rollout.sources.share import ShareMeter
from rollout.spec import Spec
from rollout.status import JournalEntry, Phase, Status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.actions import Action
    from rollout.drivers import Driver
    from rollout.engine.world import World
    from rollout.looks import SignalLook
    from rollout.sources import Source
    from rollout.world import Observation

log: Any = structlog.get_logger()
IN_FLIGHT_WAIT = 0.5
IDLE_WAIT = 10.0
SAVE_EVERY = 3.0
RECORD_EVERY = 60.0
RETRY_FIRST, RETRY_MOST = 0.05, 5.0


@dataclass(slots=True)
class Parts:
    """What a worker is built from; tests hand in their own."""

    cluster: Cluster
    world: World
    identity: str
    driver: Callable[[Manifest, Callable[[], Spec]], Driver]
    sources: Callable[[str, Spec], Sequence[Source]]
    history: Callable[[str, Spec, str], Awaitable[Sequence[SignalLook]] | None] | None = None
    clock: Callable[[], float] = time.time


@dataclass(slots=True)
class Worker:
    """Carries out one GrayRelease while it holds its lease."""

    parts: Parts
    namespace: str
    name: str
    status: Status = field(default_factory=Status)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _spec: Spec | None = None
    _generation: int = -1
    _actor: Actor | None = None
    _driver: Driver | None = None
    _written_at: float | None = None
    _recorded: str = ""
    _watching_since: float = 0.0
    _saved_at: float = 0.0
    _failures: int = 0
    _gone: bool = False
    _drift: str = ""
    _mistake: str = ""
    _before: str = ""
    _recording_at: float = 0.0
    _recording_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _bench: Bench = field(default_factory=Bench)
    _meter: ShareMeter = field(default_factory=ShareMeter)
    _lease: ReleaseLease = field(init=False)
    _store: StatusStore = field(init=False)
    _sampler: Sampler = field(init=False)

    def __post_init__(self) -> None:
        parts = self.parts
        self._lease = ReleaseLease(parts.cluster, self.namespace, self.name, parts.identity, parts.clock)
        self._store = StatusStore(parts.cluster, self.namespace, self.name)
        self._sampler = Sampler(
            key=self.key,
            roster=self._roster,
            interval=self._interval,
            wake=self._wake.set,
            hurry=self._is_suspicious,
            clock=parts.clock,
        )
        self._sampler.listeners.append(self._meter.take)

    @property
    def key(self) -> tuple[str, str]:
        """``(namespace, name)``."""
        return self.namespace, self.name

    def wake(self) -> None:
        """Something of this release changed: look now."""
        self._wake.set()

    # ------------------------------------------------------------------ life

    async def run(self) -> None:
        """Work until the release is gone; losing the lease means waiting for it again."""
        while not self._gone:
            try:
                await self._hold()
            except (LeaseLostError, OvertakenError, StaleHolderError) as error:
                log.warning("no longer the holder", release="/".join(self.key), error=str(error))
            except NotFoundError:
                return
            except KubeError as error:
                log.warning("cluster does not answer", release="/".join(self.key), error=str(error))
            except Exception:  # a release that breaks its worker must not end those of the others
                metrics.FAILURES.labels("Look").inc()
                log.exception("worker broke, and begins anew", release="/".join(self.key))
                await asyncio.sleep(RETRY_MOST)
            await asyncio.sleep(0.5)

    async def _hold(self) -> None:
        if not await self._lease.acquire():
            return
        metrics.HELD.inc()
        try:
            await self._take_over()
            while not self._gone:
                await self._lease.renew(in_flight=self.status.in_flight)
                await self._look()
                if not self._gone:
                    await self._pause()
        finally:
            metrics.HELD.dec()
            try:
                await self._sampler.stop()
            finally:
                report.forget(*self.key)  # last: a source that still answers would bring its metric back

    async def stop(self) -> None:
        """Let go of the lease, so that a successor starts at once."""
        await self._sampler.stop()
        await self._lease.release()

    async def _take_over(self) -> None:
        """Read what a predecessor promised. A rollback under way is carried on before anything else is looked at."""
        manifest = await self._store.load()
        self.status = self._store.persisted.model_copy(
            update={"epoch": self._lease.epoch, "holder": self.parts.identity}
        )
        self._bench, self._watching_since = Bench(), self.parts.clock()
        self._written_at = self.status.written_at
        self._read_spec(manifest)
        self._driver = self.parts.driver(manifest, self._current_spec)
        uid = manifest["metadata"]["uid"]
        self._actor = Actor(self.parts.cluster, self._driver, namespace=self.namespace, name=self.name, uid=uid)
        if self.status.phase is Phase.ROLLING_BACK and self._spec is not None and weights_of(self.status):
            await self._perform((Shift(weights_of(self.status)),))
        if not manifest["metadata"].get("deletionTimestamp"):
            await self._actor.add_finalizer(manifest)
        self._recorded = await self._last_record()
        self._before = await self._recording() if self.status.release and self._spec and self._spec.record else ""

    async def _last_record(self) -> str:
        last = self.status.last
        if last is None:
            return ""
        found = await self.parts.cluster.find(CONFIG_MAP, config_map_name(self.name, last.id), self.namespace)
        return last.id if found else ""

    async def _recording(self) -> str:
        """What a predecessor has recorded of the release in flight; nothing where it is damaged or not there."""
        assert self.status.release is not None  # noqa: S101 - asked for only then
        name = recordings.config_map_name(self.name, self.status.release.id)
        found = await self.parts.cluster.find(CONFIG_MAP, name, self.namespace)
        try:
            return recordings.lines_in(found) if found else ""
        except ValueError as error:
            log.warning("the recording begins anew", release="/".join(self.key), error=str(error))
            return ""

    async def _pause(self) -> None:
        if self._failures:
            await asyncio.sleep(min(RETRY_MOST, RETRY_FIRST * 2 ** (self._failures - 1)))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience()):
                await self._wake.wait()
        self._wake.clear()

    def _patience(self) -> float:
        """Seconds until the next look when nothing wakes it: short while something is under way or being drained."""
        drained = (self.status.phase_since or 0.0) + self._current_spec().strategy.drain + 1.0 if self._spec else 0.0
        busy = self.status.in_flight or self.parts.clock() < drained
        return IN_FLIGHT_WAIT if busy else IDLE_WAIT

    # ------------------------------------------------------------------ one look

    async def _look(self) -> None:
        manifest = self.parts.world.release(self.key)
        if manifest is None:
            manifest = await self._store.load()
        self._read_spec(manifest)
        if self._spec is None or self._driver is None:
            return
        with metrics.LOOK.time():
            before = self.status
            now = self.parts.clock()
            observation = self._observe(manifest, self._spec, now)
            decided, actions = decide(self._spec, before, observation, now)
            await self._keep(manifest, Context(self._spec, decided, observation, now))
            self._tell_drift(manifest, Context(self._spec, before, observation, now))
            self._tell_mistake(manifest, now)
            await self._perform(actions)
            await self._sample()
        if decided.phase is not before.phase or decided.step != before.step:
            self._wake.set()

    def _observe(self, manifest: Manifest, spec: Spec, now: float) -> Observation:
        world, driver = self.parts.world, self._driver
        assert driver is not None  # noqa: S101 - set by _take_over
        self._bench.sit(self.status, spec, self._before)
        self._bench.hear(self.status, self._sampler.take(), now)
        since = self.status.written_at or self._written_at
        if not world.healthy:
            self._watching_since = now
        return observation_of(
            manifest,
            spec,
            revisions=revisions_of(world.deployments(self.key), world.pods(self.key), now),
            share=count_share(driver.observe(), self._meter, since, now),
            assessment=self._bench.assessment if is_judged(self.status) else None,
            written_at=self._written_at,
            recorded=self._recorded,
            watching_since=self._watching_since,
        )

    async def _keep(self, manifest: Manifest, ctx: Context) -> None:
        before, persisted = self.status, self._store.persisted
        after = with_conditions(ctx)
        turned = after.phase is not persisted.phase
        judged = self._bench.assessment is not None and ctx.now - self._saved_at >= SAVE_EVERY
        if turned or judged:
            after = self._bench.put_down(after)
        if after != persisted:
            await self._store.save(after)
            self._saved_at = ctx.now
        self.status = after
        self._keep_recording(manifest, ctx.now, turned=turned)
        if entries := report.new_entries(before, after):
            self._tell(manifest, entries)
        report.measure(self.namespace, self.name, before, after)

    def _keep_recording(self, manifest: Manifest, now: float, *, turned: bool) -> None:
        """Write the recording now and then and when a phase ends, beside the work: it must never delay a rollback."""
        recorder = self._bench.recorder
        if recorder is None or not (turned or now - self._recording_at >= RECORD_EVERY):
            return
        self._recording_at = now
        self._beside(self._write_recording(recorder, self._bench.identity, manifest["metadata"]["uid"]))

    async def _write_recording(self, recorder: recordings.Recorder, identity: str, uid: str) -> None:
        async with self._recording_lock:  # one after the other, each with the newest content
            owner = owner_of(self.name, uid)
            kept = recordings.config_map_of(self.name, self.namespace, identity, recorder.finished(), owner)
            try:
                await self.parts.cluster.apply(kept, manager=MANAGER, force=True)
            except KubeError as error:
                log.warning("recording not kept", release="/".join(self.key), error=str(error))

    def _tell_drift(self, manifest: Manifest, ctx: Context) -> None:
        """Tell once of a route that somebody changed while no release is under way, whose journal would say it."""
        told = "" if ctx.status.in_flight else drift_of(ctx)
        if told and told != self._drift:
            self._tell(manifest, [JournalEntry(at=ctx.now, what=DRIFT, text=told)])
        self._drift = told

    def _tell_mistake(self, manifest: Manifest, now: float) -> None:
        """Tell once of a command that cannot be read; it changes nothing."""
        mistake = command_mistake(manifest)
        if mistake and mistake != self._mistake:
            self._tell(manifest, [JournalEntry(at=now, what="command", text=mistake)])
        self._mistake = mistake

    def _tell(self, manifest: Manifest, entries: Sequence[Any]) -> None:
        self._beside(report.tell(self.parts.cluster, manifest, entries))

    @staticmethod
    def _beside(work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        _BESIDE.add(task)
        task.add_done_callback(_BESIDE.discard)

    async def _perform(self, actions: Sequence[Action]) -> None:
        assert self._actor is not None  # noqa: S101 - set by _take_over
        spec = self._current_spec()
        for action in actions:
            try:
                done = await self._actor.perform(action, spec, epoch=self._lease.epoch)
            except (KubeError, ConflictError) as error:
                self._failed(action, error)
                return
            if done:
                self._done(action)
        self._failures = 0

    def _failed(self, action: Action, error: KubeError) -> None:
        self._failures += 1
        kind = type(action).__name__
        metrics.FAILURES.labels(kind).inc()
        log.warning("action failed", release="/".join(self.key), action=kind, error=str(error), attempt=self._failures)

    def _done(self, action: Action) -> None:
        if isinstance(action, Shift):
            self._written_at = self.parts.clock()
            self._wake.set()
        elif isinstance(action, KeepRecord):
            self._recorded = action.release.id
        elif isinstance(action, Finalize):
            self._gone = True

    async def _sample(self) -> None:
        if self.status.in_flight and not self._sampler.running:
            spec = self._current_spec()
            self._meter.begin(counted(spec))
            self._sampler.start(self.parts.sources(self.namespace, spec), self._history(spec))
        elif not self.status.in_flight and self._sampler.running:
            await self._sampler.stop()

    def _history(self, spec: Spec) -> Awaitable[Sequence[SignalLook]] | None:
        """What stable did before; None where the judge knows it already, or nobody can tell."""
        if self.status.judge or self.parts.history is None:
            return None
        return self.parts.history(self.namespace, spec, arms_of(self.status)[0])

    # ------------------------------------------------------------------ reading

    def _current_spec(self) -> Spec:
        if self._spec is None:
            raise LookupError(f"{self.namespace}/{self.name} has no valid spec")
        return self._spec

    def _read_spec(self, manifest: Manifest) -> None:
        """Take a new spec when it is valid; an invalid one is told, and the last valid one stays in force."""
        generation = int(manifest["metadata"].get("generation", 0))
        if generation == self._generation:
            return
        self._generation = generation
        try:
            self._spec = Spec.model_validate(manifest["spec"])
        except ValidationError as error:
            told = "spec is not valid: the last valid one stays in force"
            log.warning(told, release="/".join(self.key), error=str(error))

    def _roster(self) -> Roster:
        stable, canary = arms_of(self.status)
        pods = self.parts.world.pods(self.key)
        return roster_of(pods, namespace=self.namespace, stable=stable, canary=canary)

    def _interval(self) -> float:
        sampling = self._current_spec().analysis.sampling
        since = self.status.verified_at or self.status.written_at or self.status.phase_since
        young = since is None or self.parts.clock() - since < sampling.young_for
        return sampling.young if young else sampling.settled

    def _is_suspicious(self) -> bool:
        """Whether the evidence against the canary has begun to rise: then it is looked at more often."""
        assessment = self._bench.assessment
        return assessment is not None and assessment.log_e > 0 and is_judged(self.status)


_BESIDE: set[asyncio.Task[None]] = set()

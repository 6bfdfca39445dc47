"""Reading the sources while a release is in flight, by the spec in force: corrected ones are read at once."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import TYPE_CHECKING

from rollout.api.revision import revision_of
from rollout.api.status import Phase
from rollout.engine.judge_session import is_judged
from rollout.engine.observe import arms_of, counted
from rollout.engine.own_signals import OwnSignals
from rollout.engine.sampling import Sampler
from rollout.sources.pod_roster import Roster, roster_of
from rollout.sources.remarks import Remarks
from rollout.sources.share import ShareMeter

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence

    from rollout.api.own_signals import ReadAs
    from rollout.api.spec import Spec
    from rollout.api.status import Status
    from rollout.engine.judge_session import JudgeSession
    from rollout.engine.parts import Parts
    from rollout.signals.looks import SignalLook


class Watch:
    """The eyes of one release.

    Attributes:
        meter: counts which part of the requests reaches the canary.
        remarks: what the sources leave out while they tell the rest.
    """

    def __init__(
        self,
        parts: Parts,
        key: tuple[str, str],
        wake: asyncio.Event,
        status: Callable[[], Status],
        session: JudgeSession,
    ) -> None:
        self._parts, self._key, self._status, self._session = parts, key, status, session
        self._spec: Spec | None = None
        self.meter, self.remarks = ShareMeter(), Remarks()
        self._sampler = Sampler(
            key=key,
            roster=self._roster,
            interval=self._interval,
            wake=wake.set,
            hurry=self.is_suspicious,
            clock=parts.clock,
        )
        self._sampler.listeners += [self.meter.take, self.remarks.take]

    def take(self) -> list[SignalLook]:
        """Everything seen since the last call."""
        return self._sampler.take()

    async def stop(self) -> None:
        """Read nothing any more."""
        await self._sampler.stop()

    async def follow(self, spec: Spec) -> None:
        """Read what ``spec`` says while a release is in flight, and nothing else."""
        waits = self._parts.load.waits(self._key)
        wanted = spec if self._status().in_flight and not waits else None
        if wanted is not None and self._spec is not None and _read(wanted) == _read(self._spec):
            self._spec = wanted
            return
        if self._sampler.running:
            await self._sampler.stop()
        self.remarks.clear()
        began = wanted is not None and self._spec is None
        self._spec = wanted
        if wanted is not None:
            self._start(wanted, began=began)

    def _start(self, spec: Spec, *, began: bool) -> None:
        signals = counted(spec)
        self.meter.begin(signals)
        by_source: dict[str, list[str]] = {}
        for signal in signals:
            by_source.setdefault(signal.source.value, []).append(signal.name)
        own = OwnSignals(lambda: self._parts.mirror.deployments(self._key), revision_of(self._key[1], spec))
        history = self._history(spec, own) if began else None
        self._sampler.start(self._parts.sources(spec, own), history, by_source)

    def _history(self, spec: Spec, own: ReadAs) -> Awaitable[Sequence[SignalLook]] | None:
        """What stable did before; None where the judge knows it already, or nobody can tell."""
        if self._status().judge or self._parts.history is None:
            return None
        stable, _ = arms_of(self._status())
        signals = [own(stable, signal) for signal in spec.analysis.signals]
        as_stable = spec.model_copy(update={"analysis": spec.analysis.model_copy(update={"signals": signals})})
        history = self._parts.history(self._key[0], as_stable, stable)
        return None if history is None else self._placed(history)

    async def _placed(self, history: Awaitable[Sequence[SignalLook]]) -> Sequence[SignalLook]:
        """History with the places of those of its pods that are still there; a pod never moves."""
        found, pods = await history, {pod.name: pod for pod in self._roster().pods}
        return [
            replace(
                look,
                pods={
                    name: replace(each, node=pods[name].node, zone=pods[name].zone) if name in pods else each
                    for name, each in look.pods.items()
                },
            )
            for look in found
        ]

    def _roster(self) -> Roster:
        stable, canary = arms_of(self._status())
        mirror = self._parts.mirror
        pods = mirror.pods(self._key)
        return roster_of(pods, namespace=self._key[0], stable=stable, canary=canary, zone=mirror.zone)

    def _interval(self) -> float:
        if self._spec is None:
            return 1.0
        sampling, status = self._spec.analysis.sampling, self._status()
        since = status.verified_at or status.written_at or status.phase_since
        young = since is None or self._parts.clock() - since < sampling.young_for
        usual = sampling.young if young else sampling.settled
        return usual if status.phase is Phase.ROLLING_BACK else usual * self._parts.load.stretch(young=young)

    def is_suspicious(self) -> bool:
        """Whether the evidence against the canary has begun to rise: then it is looked at more often.

        Of a full engine it takes more of it: healthy canaries have a little now and then.
        """
        found = self._session.assessment
        return found is not None and found.log_e > log(self._parts.load.level) and is_judged(self._status())


def _read(spec: Spec) -> tuple[object, ...]:
    """What decides where and how is read."""
    return spec.analysis.signals, spec.sources, spec.traffic_port

"""The release's part of what Prometheus knows: as the pods' own metrics, about one scrape later."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rollout.api.own_signals import as_given
from rollout.signals.looks import Arm, SourceStatus
from rollout.sources.counters import Seen, Tally
from rollout.sources.counting import birth_of, series_of, shows
from rollout.sources.expressions import Expressions, Values
from rollout.sources.outage import Outage
from rollout.sources.pace import Pace
from rollout.sources.prometheus_hub import UP

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rollout.api.own_signals import ReadAs
    from rollout.api.spec import Signal
    from rollout.signals.looks import SignalLook
    from rollout.sources.pod_roster import Roster
    from rollout.sources.prometheus_hub import PrometheusHub, Scrape, Wanted

LONGEST_SECONDS = 1.0
"""A look comes at least this often, news or not: the age of what is known is part of it."""


class PrometheusSource:
    """Reads its pods' series out of the hub's shared answer."""

    name = "prometheus"

    def __init__(self, hub: PrometheusHub, signals: Iterable[Signal], *, own: ReadAs = as_given) -> None:
        self._hub = hub
        self._tallies = [Tally(signal, own) for signal in signals]
        self._expressions = Expressions(hub, [tally.signal for tally in self._tallies])
        self._outage = Outage(self.name)
        self._pace = Pace(LONGEST_SECONDS)
        self._looked_at = float("-inf")
        self._wanted: Wanted = ("", frozenset())

    async def sample(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        """One look per signal as soon as the next scrape of the canary can be seen, or none where it does not come."""
        self._wanted = self._hub.subscribe(self, roster.namespace, self._series(roster))
        clock = asyncio.get_running_loop().time
        ahead = now - clock()
        for wait in self._pace.waits(now):
            await asyncio.sleep(wait)
            if looks := await self._question(roster, clock() + ahead):
                return looks
        return []

    def _series(self, roster: Roster) -> list[str]:
        """The names of what is read, at either revision."""
        named = [tally for tally in self._tallies if not tally.signal.query]
        found = [tally.own(revision) for tally in named for revision in (roster.stable, roster.canary)]
        return [name for signal in found for name in series_of(signal)] + ([UP] if self._expressions.signals else [])

    async def _question(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        """Looks, if there is something new to look at.

        Prometheus scrapes its pods at different moments, and a look that has the canary's requests without stable's of
        the same time compares nothing. So a look waits for a scrape of the canary and takes what stable did meanwhile
        along; it is not put off for more than `LONGEST_SECONDS`.
        """
        answer = await self._hub.read(now)
        scrapes = {
            pod.name: found for pod in roster.pods if (found := answer.scrapes.get((roster.namespace, pod.name)))
        }
        canary = [pod.name for pod in roster.pods if pod.arm is Arm.CANARY]
        news = self._pace.see({name: scrapes[name] for name in canary if name in scrapes}, now)
        problem = answer.problem_of(self._wanted)
        if not (news or problem or now - self._looked_at >= LONGEST_SECONDS):
            return []
        self._looked_at = now
        own = await self._expressions.values(roster, max((each.at for each in scrapes.values()), default=None))
        looks = [
            self._look(tally, roster, own.get(tally.signal.name, Values(problem=problem)), scrapes, now)
            for tally in self._tallies
        ]
        self._outage.note(next((look.reason for look in looks if look.reason), problem), looks)
        return looks

    @staticmethod
    def _look(tally: Tally, roster: Roster, values: Values, scrapes: Mapping[str, Scrape], now: float) -> SignalLook:
        samples = {pod: (*scrape.samples, *values.samples.get(pod, ())) for pod, scrape in scrapes.items()}
        seen = {pod: Seen(scrapes[pod].at, each, birth_of(each)) for pod, each in samples.items()}
        own = {pod.name: tally.own(pod.revision) for pod in roster.pods if pod.name in samples}
        showing = {pod for pod, signal in own.items() if shows(signal, samples[pod])}
        return tally.look(roster, seen, _status(roster, values.problem, showing), now, values.problem)


def _status(roster: Roster, problem: str, showing: Collection[str]) -> SourceStatus:
    """Data means that each arm with ready pods has at least one whose newest scrapes show the series."""
    if problem:
        return SourceStatus.SOURCE_DOWN
    ready = [pod for pod in roster.pods if pod.ready]
    arms = [[pod.name for pod in ready if pod.arm is arm] for arm in Arm]
    if ready and all(any(pod in showing for pod in pods) for pods in arms if pods):
        return SourceStatus.OK
    return SourceStatus.NO_DATA

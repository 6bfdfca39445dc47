"""The release's part of what Prometheus knows: as the pods' own metrics, about one scrape later."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rollout.looks import Arm, SourceStatus
from rollout.sources.outage import Outage
from rollout.sources.pace import Pace
from rollout.sources.tally import Seen, Tally, birth_of, series_of, shows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rollout.looks import SignalLook
    from rollout.sources.hub import Answer, PrometheusHub, Scrape
    from rollout.sources.roster import Roster
    from rollout.spec import Signal

LONGEST_SECONDS = 1.0
"""A look comes at least this often, news or not: the age of what is known is part of it."""


class PrometheusSource:
    """Reads its pods' series out of the hub's shared answer."""

    name = "prometheus"

    def __init__(self, hub: PrometheusHub, signals: Iterable[Signal]) -> None:
        self._hub = hub
        self._tallies = [Tally(signal) for signal in signals]
        self._outage = Outage(self.name)
        self._pace = Pace(LONGEST_SECONDS)
        self._looked_at = float("-inf")

    async def sample(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        """One look per signal as soon as the next scrape of the canary can be seen, or none where it does not come."""
        series = [name for tally in self._tallies for name in series_of(tally.signal)]
        self._hub.subscribe(self, roster.namespace, series)
        clock = asyncio.get_running_loop().time
        ahead = now - clock()
        for wait in self._pace.waits(now):
            await asyncio.sleep(wait)
            if looks := await self._question(roster, clock() + ahead):
                return looks
        return []

    async def _question(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        """Looks, if there is something new to look at.

        Prometheus scrapes its pods at different moments, and a look that has the canary's requests without stable's of
        the same time compares nothing. So a look waits for a scrape of the canary and takes what stable did meanwhile
        along; it is not put off for more than `LONGEST_SECONDS`.
        """
        answer = await self._hub.read(now)
        self._outage.note(answer.problem)
        scrapes = {
            pod.name: found for pod in roster.pods if (found := answer.scrapes.get((roster.namespace, pod.name)))
        }
        canary = [pod.name for pod in roster.pods if pod.arm is Arm.CANARY]
        news = self._pace.see({name: scrapes[name] for name in canary if name in scrapes}, now)
        if not (news or answer.problem or now - self._looked_at >= LONGEST_SECONDS):
            return []
        self._looked_at = now
        return [self._look(tally, roster, answer, scrapes, now) for tally in self._tallies]

    @staticmethod
    def _look(tally: Tally, roster: Roster, answer: Answer, scrapes: Mapping[str, Scrape], now: float) -> SignalLook:
        seen = {pod: Seen(scrape.at, scrape.samples, birth_of(scrape.samples)) for pod, scrape in scrapes.items()}
        showing = {pod for pod, scrape in scrapes.items() if shows(tally.signal, scrape.samples)}
        return tally.look(roster, seen, _status(roster, answer, showing), now)


def _status(roster: Roster, answer: Answer, showing: Collection[str]) -> SourceStatus:
    """Data means that each arm with ready pods has at least one whose newest scrapes show the series."""
    if answer.problem:
        return SourceStatus.SOURCE_DOWN
    ready = [pod for pod in roster.pods if pod.ready]
    arms = [[pod.name for pod in ready if pod.arm is arm] for arm in Arm]
    if ready and all(any(pod in showing for pod in pods) for pods in arms if pods):
        return SourceStatus.OK
    return SourceStatus.NO_DATA

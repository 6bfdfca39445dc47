"""The pods' own metrics, read at the pods: no Prometheus needed, and a fault is seen one scrape earlier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rollout.api.own_signals import as_given
from rollout.signals.looks import Arm, SourceStatus
from rollout.sources.budget import OverBudgetError
from rollout.sources.counters import Seen, Tally
from rollout.sources.counting import BIRTH, birth_of, family_of, series_of, shows
from rollout.sources.exposition import declares, samples_in_turns
from rollout.sources.gather import Gather, Target
from rollout.sources.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rollout.api.own_signals import ReadAs
    from rollout.api.spec import Signal
    from rollout.signals.looks import SignalLook
    from rollout.sources.exposition import Sample
    from rollout.sources.fetch import Fetch
    from rollout.sources.gather import Harvest, Page
    from rollout.sources.pod_roster import PodInfo, Roster


class PodsSource:
    """Reads one page per pod and pass, whatever number of signals is on it."""

    name = "pods"

    def __init__(
        self,
        fetch: Fetch,
        signals: Iterable[Signal],
        *,
        own: ReadAs = as_given,
        seconds: float = 1.0,
        patience: float = 0.15,
    ) -> None:
        self._gather = Gather(fetch, seconds=seconds, patience=patience)
        self._signals = [_PodsSignal(signal, own) for signal in signals]
        self._outage = Outage(self.name)

    async def sample(self, roster: Roster, now: float) -> Sequence[SignalLook]:
        """One look per signal."""
        names: dict[Target, tuple[str, ...]] = {}
        revisions = {pod.name: pod.revision for pod in roster.pods}
        for signal in self._signals:
            for pod, target in signal.targets(roster).items():
                names[target] = (*names.get(target, ()), *series_of(signal.own(revisions[pod])))
        harvest = await self._gather.pages(sorted(names, key=lambda target: target.pod), now)
        read = await _read(harvest, names)
        looks = [signal.look(roster, read, now) for signal in self._signals]
        self._outage.note(next((look.reason for look in looks if look.reason), ""), looks)
        return looks


@dataclass(frozen=True, slots=True)
class _Read:
    """What the pages of a pass say.

    Attributes:
        pages: as they came.
        samples: of each, by the name of the series.
        failed: why there is nothing, for the others.
    """

    pages: Mapping[Target, Page]
    samples: Mapping[Target, Mapping[str, list[Sample]]]
    failed: Mapping[Target, str]


async def _read(harvest: Harvest, names: Mapping[Target, tuple[str, ...]]) -> _Read:
    """The wanted samples of every page, each read once; one that is more than is read of anybody has failed."""
    found: dict[Target, dict[str, list[Sample]]] = {}
    failed = dict(harvest.failed)
    for target, page in harvest.pages.items():
        wanted = tuple(dict.fromkeys((*names[target], BIRTH)))
        try:
            read = await samples_in_turns(page.text, wanted)
        except OverBudgetError as error:
            failed[target] = f"{target}: {error}"
            continue
        by_name: dict[str, list[Sample]] = {}
        for sample in read:
            by_name.setdefault(sample.name, []).append(sample)
        found[target] = by_name
    return _Read(harvest.pages, found, failed)


class _PodsSignal:
    """One signal and what is known of its pages."""

    def __init__(self, signal: Signal, own: ReadAs) -> None:
        self._signal = signal
        self._tally = Tally(signal, own)
        self.own = self._tally.own
        self._declared: dict[str, bool] = {}

    def targets(self, roster: Roster) -> dict[str, Target]:
        """The page of every pod that can have one, by pod."""
        return {
            pod.name: Target(roster.namespace, pod.name, pod.ip, port, signal.path)
            for pod in roster.pods
            if pod.ip and pod.running and (port := pod.port((signal := self.own(pod.revision)).port)) is not None
        }

    def look(self, roster: Roster, read: _Read, now: float) -> SignalLook:
        """The look, with the reason where there is nothing to see, or less than there should be."""
        targets = self.targets(roster)
        own = {pod.name: self.own(pod.revision) for pod in roster.pods}
        seen = {pod: self._seen(pod, own[pod], it, read) for pod, it in targets.items() if it in read.samples}
        self._declared = {pod.name: self._declared[pod.name] for pod in roster.pods if pod.name in self._declared}
        failed = {pod: read.failed[target] for pod, target in targets.items() if target in read.failed}
        status, reason = self._status(roster, targets, failed)
        look = self._tally.look(roster, seen, status, now, reason)
        return look if look.reason or not failed else replace(look, reason=next(iter(failed.values())))

    def _seen(self, pod: str, own: Signal, target: Target, read: _Read) -> Seen:
        page, by_name = read.pages[target], read.samples[target]
        found = [sample for name in series_of(own) for sample in by_name.get(name, ())]
        self._declared[pod] = shows(own, found) or declares(page.text, family_of(own))
        return Seen(page.at, found, birth_of(by_name.get(BIRTH, ())))

    def _status(
        self, roster: Roster, targets: Mapping[str, Target], failed: Mapping[str, str]
    ) -> tuple[SourceStatus, str]:
        """The worse of what the two arms give; an arm without a ready pod gives nothing and spoils nothing."""
        ready = [pod for pod in roster.pods if pod.ready and not pod.failed]
        if not ready:
            return SourceStatus.NO_DATA, ""
        arms = [[pod for pod in ready if pod.arm is arm] for arm in Arm]
        if reason := next((found for pods in arms if (found := _down(pods, failed))), ""):
            return SourceStatus.SOURCE_DOWN, reason
        if reason := next((found for pods in arms if (found := self._mute(pods, targets))), ""):
            return SourceStatus.NO_DATA, reason
        return SourceStatus.OK, ""

    def _mute(self, pods: Sequence[PodInfo], targets: Mapping[str, Target]) -> str:
        """Why no pod of an arm can ever show the signal; empty where one may."""
        if not pods:
            return ""
        own = self.own(pods[0].revision)
        if not any(pod.name in targets for pod in pods):
            return f"signal {self._signal.name}: pods of {pods[0].revision} have no port {own.port!r}"
        if not any(self._declared.get(pod.name, True) for pod in pods):
            where, family = f"{own.path} of {pods[0].revision}", family_of(own)
            return f"signal {self._signal.name}: {where} shows no {family}"
        return ""


def _down(pods: Sequence[PodInfo], failed: Mapping[str, str]) -> str:
    if pods and all(pod.name in failed for pod in pods):
        return failed[min(pod.name for pod in pods)]
    return ""

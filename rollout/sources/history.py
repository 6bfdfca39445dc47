"""What stable's pods did in the hour before a release, from Prometheus: the judge's baseline.

Pods are told apart, also those that have gone, so that the judge learns how healthy pods differ, how their failures
clump, and how a cold start looks. A signal that is read at the gateway is learned from the pods' own counters: what is
wanted of it is how pods behave.

Stable's pods have started once, most of them before that hour. What they were like in their first minutes, beside the
grown-up pods of whatever version then served, is asked for apart.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from rollout.signals.kinds import SourceName
from rollout.signals.looks import Arm, SourceStatus
from rollout.sources.answers import series_in
from rollout.sources.counters import Seen, Tally
from rollout.sources.counting import BIRTH, birth_of, series_of, shows
from rollout.sources.expressions import PodTimes, by_pod, pods_of, written
from rollout.sources.fetch import FetchError
from rollout.sources.pod_roster import PodInfo, Roster

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rollout.api.spec import Signal
    from rollout.signals.looks import SignalLook
    from rollout.sources.ask import Ask
    from rollout.sources.exposition import Sample

log: Any = structlog.get_logger()
SPAN_SECONDS, STEP_SECONDS = 3600, 15
START_SECONDS = 300
"""How long a pod is young; starts that are nearer to each other are looked at together."""

_WITHOUT_SERIES = frozenset({SourceName.KUBERNETES, SourceName.LOGS})
"""Of what is read there Prometheus knows nothing."""

MOST_STARTS = 3
PATIENCE_SECONDS = 5.0


async def history_of(
    ask: Ask, namespace: str, revision: str, signals: Sequence[Signal], now: float
) -> Sequence[SignalLook]:
    """Looks of stable's pods at every 15 s of the last hour, oldest first; none where Prometheus does not tell.

    After them come those of the starts of its pods that the hour does not show, oldest first as well.

    Args:
        ask: sends one query.
        namespace: of the pods.
        revision: the stable one; its pods' names begin with it.
        signals: those that have counters at the pods are looked at.
        now: seconds since the epoch.
    """
    counted = [each for each in signals if each.source not in _WITHOUT_SERIES]
    if not counted or not revision:
        return []
    roster = Roster(namespace, revision, "")
    found: list[SignalLook] = []
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            hour = f"[{SPAN_SECONDS}s:{STEP_SECONDS}s]"
            pods = await _asked(ask, counted, roster, f"{re.escape(revision)}-.*", hour)
            found += await _looks(counted, roster, pods, now)
            for began, until in _unseen([_birth(times) for times in pods.values()], now):
                span = f"[{round(until - began)}s:{STEP_SECONDS}s] @ {until:.0f}"
                shown = await _asked(ask, counted, roster, pods_of(revision), span)
                then = await _looks(counted, roster, shown, until)
                found += [replace(look, starts=True) for look in then]
    except (TimeoutError, FetchError) as error:
        if found:
            log.warning("no history of stable's starts", revision=revision, reason=str(error))
        else:
            log.warning("no history of stable: the judge begins with its priors", revision=revision, reason=str(error))
    return found


def _unseen(births: Sequence[float], now: float) -> list[tuple[float, float]]:
    """When to look for starts that the last hour does not tell of, the newest few, oldest first: from and until.

    It tells of a start where another pod of stable was grown up then.
    """
    first = min((birth for birth in births if birth > 0), default=0.0)
    found: list[tuple[float, float]] = []
    for birth in sorted({birth for birth in births if birth > 0}, reverse=True):
        known = birth > now - SPAN_SECONDS and first < birth - START_SECONDS
        if not known and (not found or birth < found[-1][0]):
            began = birth - START_SECONDS
            found.append((began, min(birth + START_SECONDS, now)))
    return found[:MOST_STARTS][::-1]


async def _asked(ask: Ask, signals: Sequence[Signal], empty: Roster, pods: str, span: str) -> PodTimes:
    """Samples by pod and time, of the pods whose names match a pattern.

    An expression that gives nothing is told and left out: the others have their history nevertheless.

    Raises:
        FetchError: there is no answer, or it is an error.
    """
    names = {BIRTH, *(name for signal in signals if not signal.query for name in series_of(signal))}
    selector = f'{{__name__=~"{"|".join(sorted(names))}",namespace="{empty.namespace}",pod=~"{pods}"}}'
    found: PodTimes = {}
    for labels, times in series_in(await ask(selector.replace("\\", "\\\\") + span, PATIENCE_SECONDS)):
        _merge(found, labels.get("pod", ""), times)
    for signal in signals:
        if signal.query:
            try:
                body = await ask(f"({written(signal, empty.namespace, empty.stable)}\n){span}", PATIENCE_SECONDS)
                own = by_pod(body, signal, empty.namespace)
            except FetchError as error:
                log.warning("no history of a signal", signal=signal.name, reason=str(error))
                continue
            for pod in filter(re.compile(pods).fullmatch, own):
                _merge(found, pod, own[pod].items())
    return found


def _merge(found: PodTimes, pod: str, times: Iterable[tuple[float, list[Sample]]]) -> None:
    known = found.setdefault(pod, {})
    for at, samples in times:
        known.setdefault(at, []).extend(samples)


async def _looks(
    signals: Sequence[Signal], empty: Roster, pods: Mapping[str, Mapping[float, list[Sample]]], now: float
) -> list[SignalLook]:
    tallies = [Tally(signal) for signal in signals]
    births = {pod: _birth(times) for pod, times in pods.items()}
    found: list[SignalLook] = []
    for at in sorted({at for times in pods.values() for at in times if at <= now}):
        here = {pod: times[at] for pod, times in pods.items() if at in times}
        infos = [PodInfo(pod, empty.stable, Arm.STABLE, "", births[pod], births[pod] or None) for pod in sorted(here)]
        roster = Roster(empty.namespace, empty.stable, "", tuple(infos))
        for tally in tallies:
            seen = {pod: Seen(at, each, births[pod]) for pod, each in here.items() if shows(tally.signal, each)}
            found.append(tally.look(roster, seen, SourceStatus.OK, at))
        await asyncio.sleep(0)
    return [look for look in found if look.pods]


def _birth(times: Mapping[float, list[Sample]]) -> float:
    """When the pod's process began, by its newest sample; 0 where it does not say."""
    return birth_of(times[max(times)])

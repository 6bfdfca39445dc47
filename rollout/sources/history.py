"""What stable's pods did in the hour before a release, from Prometheus: the judge's baseline.

Pods are told apart, also those that have gone, so that the judge learns how healthy pods differ, how their failures
clump, and how a cold start looks. A signal that is read at the gateway is learned from the pods' own counters: what is
wanted of it is how pods behave.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import structlog

from rollout.looks import Arm, SourceStatus
from rollout.sources.exposition import Sample
from rollout.sources.fetch import FetchError
from rollout.sources.roster import PodInfo, Roster
from rollout.sources.tally import BIRTH, Seen, Tally, birth_of, series_of, shows
from rollout.spec import SignalKind, SourceName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rollout.looks import SignalLook
    from rollout.sources.ask import Ask
    from rollout.spec import Signal

log: Any = structlog.get_logger()
SPAN_SECONDS, STEP_SECONDS = 3600, 15
PATIENCE_SECONDS = 5.0


async def history_of(
    ask: Ask, namespace: str, revision: str, signals: Sequence[Signal], now: float
) -> Sequence[SignalLook]:
    """Looks of stable's pods at every 15 s of the last hour, oldest first; none where Prometheus does not tell.

    Args:
        ask: sends one query.
        namespace: of the pods.
        revision: the stable one; its pods' names begin with it.
        signals: those that have counters at the pods are looked at.
        now: seconds since the epoch.
    """
    counted = [each for each in signals if each.kind is not SignalKind.CRASHES and each.source is not SourceName.LOGS]
    if not counted or not revision:
        return []
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            body = await ask(_query(namespace, revision, counted), PATIENCE_SECONDS)
        pods = _by_pod(body)
    except (TimeoutError, FetchError) as error:
        log.warning("no history of stable: the judge begins with its priors", revision=revision, reason=str(error))
        return []
    return await _looks(counted, Roster(namespace, revision, ""), pods, now)


def _query(namespace: str, revision: str, signals: Sequence[Signal]) -> str:
    names = "|".join(sorted({BIRTH, *(series_of(signal) for signal in signals)}))
    selector = f'{{__name__=~"{names}",namespace="{namespace}",pod=~"{re.escape(revision)}-.*"}}'.replace("\\", "\\\\")
    return f"{selector}[{SPAN_SECONDS}s:{STEP_SECONDS}s]"


def _by_pod(body: Any) -> dict[str, dict[float, list[Sample]]]:
    """Samples by pod and time.

    Raises:
        FetchError: the answer is an error, or none of Prometheus.
    """
    found: dict[str, dict[float, list[Sample]]] = {}
    try:
        if body["status"] != "success":
            raise FetchError(f"Prometheus refuses the query: {body.get('error', body['status'])}")
        for series in body["data"]["result"]:
            labels = series["metric"]
            times = found.setdefault(labels["pod"], {})
            for at, value in series["values"]:
                times.setdefault(float(at), []).append(Sample(labels["__name__"], labels, float(value)))
    except (KeyError, TypeError, ValueError) as error:
        raise FetchError(f"this is no answer of Prometheus to a range query: {error!r}") from error
    return found


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
            seen = {pod: Seen(at, told, births[pod]) for pod, told in here.items() if shows(tally.signal, told)}
            found.append(tally.look(roster, seen, SourceStatus.OK, at))
        await asyncio.sleep(0)
    return [look for look in found if look.pods]


def _birth(times: Mapping[float, list[Sample]]) -> float:
    """When the pod's process began, by its newest sample; 0 where it does not say."""
    return birth_of(times[max(times)])

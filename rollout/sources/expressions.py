"""Signals with PromQL of their own, for what the name of a metric does not tell.

The result has a label ``pod`` and is what the pod has counted so far (``sum by (pod) (orders_total{state="lost"})``),
or a gauge. It is asked for as of the newest scrape that is known, so that what it says belongs to the same moments as
everything else of the same pods: an expression has no times of its own, and counters that are read between two scrapes
come in lumps, now of one arm, now of the other.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from itertools import chain
from string import Template
from typing import TYPE_CHECKING, Any, TypeAlias

from rollout.sources.answers import series_in
from rollout.sources.fetch import FetchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rollout.api.spec import Signal
    from rollout.sources.exposition import Sample
    from rollout.sources.pod_roster import Roster
    from rollout.sources.prometheus_hub import PrometheusHub

PodTimes: TypeAlias = "dict[str, dict[float, list[Sample]]]"
"""Samples by pod and time."""

_HASH = "-[0-9a-f]{8}-"  # between a service's name and its pods' own, see `revision.revision_of`


@dataclass(frozen=True, slots=True)
class Values:
    """What one expression gave.

    Attributes:
        samples: by pod.
        problem: why there is nothing; empty where there may be.
    """

    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    problem: str = ""


def pods_of(revision: str) -> str:
    """Regular expression for the names of all pods of a revision's service, of this revision and of others."""
    return f"{re.escape(revision.rpartition('-')[0])}{_HASH}.*"


def written(signal: Signal, namespace: str, revision: str) -> str:
    """A signal's expression with ``$namespace`` and ``$pods`` filled in."""
    pods = pods_of(revision).replace("\\", "\\\\")
    return Template(signal.query or "").safe_substitute(namespace=namespace, pods=pods)


def by_pod(body: Any, signal: Signal, namespace: str) -> PodTimes:
    """Samples of a signal by pod and time, out of the answer to its expression.

    Raises:
        FetchError: it is an error, no answer of Prometheus, or not a value for each pod.
    """
    found: PodTimes = {}
    if (kind := _kind(body)) in {"scalar", "string"}:
        raise FetchError(f"it gives a {kind}, not a value for each pod; write sum by (pod) (…)")
    for labels, times in series_in(body, signal.query or ""):
        if "pod" not in labels:
            raise FetchError("its result has no label pod; write sum by (pod) (…)")
        if labels.get("namespace", namespace) == namespace:
            pod = found.setdefault(labels["pod"], {})
            for at, samples in times:
                pod.setdefault(at, []).extend(samples)
    return found


def _kind(body: Any) -> Any:
    data = body.get("data") if isinstance(body, dict) else None
    return data.get("resultType") if isinstance(data, dict) else None


class Expressions:
    """The signals of one release that have an expression."""

    def __init__(self, hub: PrometheusHub, signals: Iterable[Signal]) -> None:
        self._hub = hub
        self.signals = [signal for signal in signals if signal.query]

    async def values(self, roster: Roster, at: float | None) -> dict[str, Values]:
        """What they give as of ``at`` (seconds since the epoch), by signal; nothing where there is no such time."""
        if at is None:
            return {}
        found = await asyncio.gather(*(self._value(signal, roster, at) for signal in self.signals))
        return {signal.name: each for signal, each in zip(self.signals, found, strict=True)}

    async def _value(self, signal: Signal, roster: Roster, at: float) -> Values:
        try:
            body = await self._hub.evaluate(written(signal, roster.namespace, roster.canary or roster.stable), at)
            pods = by_pod(body, signal, roster.namespace)
        except FetchError as error:
            return Values(problem=f"signal {signal.name}: query: {error}")
        return Values({pod: list(chain.from_iterable(times.values())) for pod, times in pods.items()})

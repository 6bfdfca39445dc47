"""What a row of the table of signal kinds says, and what follows from it: units, words, PromQL."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from string import Template
from typing import TYPE_CHECKING, Literal, TypeAlias, assert_never

from rollout.signals.figures import number, share

if TYPE_CHECKING:
    from collections.abc import Callable

    Bound: TypeAlias = Callable[[float, float | None], float | None]
    """An alert's bound by the signal's floor, and its threshold in seconds; None for no alert."""

HOUR = 3600.0


class SourceName(StrEnum):
    """Where a signal is read."""

    GATEWAY = "gateway"
    PODS = "pods"
    KUBERNETES = "kubernetes"
    PROMETHEUS = "prometheus"
    LOGS = "logs"


BY_METRIC = frozenset({SourceName.PODS, SourceName.PROMETHEUS})
"""Sources that look a series up by its name."""


class Family(StrEnum):
    """What the figures of a kind are, and so how they are read, judged and written."""

    FAILURES = "failures"
    """Requests that fail, of all requests."""
    LATENCY = "latency"
    """Requests slower than each bucket edge, of all requests."""
    COUNT = "count"
    """Things that happen, per pod-second."""
    GAUGE = "gauge"
    """A value of the moment that should not grow."""

    @property
    def denominator(self) -> Literal["requests", "pod-seconds", ""]:
        """What its figures are per; empty where they are what they are."""
        match self:
            case Family.FAILURES | Family.LATENCY:
                return "requests"
            case Family.COUNT:
                return "pod-seconds"
            case Family.GAUGE:
                return ""
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Guard:
    """So many convict where they come too soon after one another for healthy pods.

    Attributes:
        most: how many convict at least.
        what: what canary pods did so often, in words.
    """

    most: float
    what: str


def never(_floor: float, _threshold: float | None) -> float | None:
    """No alert."""
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """All that is to be known of a kind of signal.

    Attributes:
        family: what its figures are.
        noun: what is counted, in the plural.
        sources: where it can be read.
        weight: share of the false-rollback rate before shares are normalised over a release's signals.
        floor: rate not worth a rollback on the canary's numbers alone: of requests, or per pod-second.
        target: what promotion certifies: a failure share or a rate per pod-second below this; for latency, at every
            judged edge a slow share at most this much above stable's; for gauges nothing.
        promql: what it is in Prometheus, with ``$metric``, ``$selector``, and ``$failed`` for the errors among answers.
        metric: the name it usually has there and on pods' pages; None where a signal must give one.
        unit: of a gauge.
        counted: field of a pod's look that has its counts.
        guard: what convicts at once; None for nothing.
        bound: above which the service's own alert fires.
        critical: whether somebody must get up for that alert.
    """

    family: Family
    noun: str
    sources: frozenset[SourceName]
    weight: float
    floor: float
    target: float
    promql: str
    metric: str | None = None
    unit: str = ""
    counted: Literal["errors", "crashes"] = "errors"
    guard: Guard | None = None
    bound: Bound = never
    critical: bool = False

    @property
    def per_request(self) -> bool:
        """Whether its figures are shares of requests, each failing at most once."""
        return self.family.denominator == "requests"

    def needs_metric(self, source: SourceName) -> bool:
        """Whether nobody knows by which name to read it there."""
        return self.metric is None and source in BY_METRIC

    def written(self, value: float) -> str:
        """What an arm did (a share of requests, a rate per pod-second, a level), for people."""
        match self.family:
            case Family.FAILURES | Family.LATENCY:
                return share(value)
            case Family.COUNT:
                return f"{number(HOUR * value)} {self._hourly}"
            case Family.GAUGE:
                return f"{number(value)} {self.unit}".rstrip()
            case _:
                assert_never(self.family)

    def expression(self, selector: str, metric: str | None, failed: str) -> str:
        """PromQL of a service's figure, in the unit of :attr:`graph_unit`.

        Args:
            selector: label matchers of the service's series.
            metric: the signal's own; None for the usual one.
            failed: label matchers of the answers that are errors.
        """
        return Template(self.promql).substitute(metric=metric or self.metric, selector=selector, failed=failed)

    @property
    def graph_unit(self) -> str:
        """Unit of :meth:`expression`, as Grafana names it."""
        match self.family:
            case Family.FAILURES:
                return "percentunit"
            case Family.LATENCY:
                return "s"
            case Family.COUNT:
                return f"suffix: {self._hourly}"
            case Family.GAUGE:
                return f"suffix: {self.unit}" if self.unit else "short"
            case _:
                assert_never(self.family)

    def graphed(self, value: float) -> str:
        """A value of :meth:`expression`, for people."""
        match self.family:
            case Family.FAILURES:
                return share(value)
            case Family.LATENCY:
                return f"{number(value)} s"
            case Family.COUNT:
                return f"{number(value)} {self._hourly}"
            case Family.GAUGE:
                return f"{number(value)} {self.unit}".rstrip()
            case _:
                assert_never(self.family)

    @property
    def _hourly(self) -> str:
        return f"{self.noun} per pod-hour"

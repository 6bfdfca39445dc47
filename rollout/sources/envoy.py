"""What Envoy says of a backend: its `/stats` page, and what moves on it in which case.

Measured on Envoy 1.40 with requests of each sort (`?usedonly`; counters are live, only histograms wait for a flush).
`begun` is upstream_rq_total, or the counter in its place where the request never had a connection:

=========================== ========== =========================================== ======================
what the backend did        client     cluster counters that move                  counted here as
=========================== ========== =========================================== ======================
answers 500                 500        rq_total, rq_completed, rq_500              error 500
answers 404                 404        rq_total, rq_completed, rq_404              404
refuses the connection      503        rq_pending_failure_eject, rq_completed, 503 error 503
has no endpoint             503        cx_none_healthy, rq_completed, rq_503       error 503
has too many waiting        503        rq_pending_overflow, rq_completed, rq_503   error 503
resets before a header      503        rq_total, rq_completed, rq_503              error 503
misses the time-out         504        rq_total, rq_completed, rq_504, rq_timeout  error 504
the same, never connected   504        rq_cancelled, rq_completed, rq_504          error 504
breaks off its body         200, torn  rq_completed, rq_200, cx_protocol_error     error cut
fails, is tried again       200        rq_total twice, rq_retry, rq_completed      one request
never answers               gives up   rq_total; HTTP/2 alone has rq_tx_reset      error abandoned
never connects              gives up   rq_cancelled                                error abandoned
hangs amid its body         gives up   rq_total, rq_completed, rq_200              200
=========================== ========== =========================================== ======================

So ``upstream_rq_completed`` counts every request once that got the head of an answer, from a pod or from Envoy itself.
A request that has got none is in ``rq_pending_active`` or ``rq_active`` (which has those too that wait for the rest of
a body). What began and is in neither, was given up: nobody answered, and the client went away. Bodies that are under
way hide as many of these for as long as they last; they never make one up.

``warming_state`` is there for every cluster that Envoy knows, which tells a backend without requests from one without a
route. ``server.uptime`` falls on a restart.

``membership_healthy`` is how many endpoints a request can go to. A backend that is new to a route has none for 20 to
120 ms, because Envoy learns of the cluster before it learns of its endpoints: what is sent to it meanwhile is answered
503. That is why the count is told along with the counters.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from rollout.sources.budget import MOST_SERIES, over
from rollout.sources.clusters import CONTOUR

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from rollout.sources.clusters import Naming

REQUESTS, TORN, BAD_ANSWER, ABANDONED, BEGUN = "requests", "torn", "502", "abandoned", "begun"
_COMPLETED, _TORN = "upstream_rq_completed", "upstream_cx_protocol_error"
_ENTRIES = (
    "upstream_rq_total",
    "upstream_rq_cancelled",
    "upstream_rq_pending_failure_eject",
    "upstream_rq_pending_overflow",
    "upstream_cx_none_healthy",
)
"""Each request is counted by one of these, as often as it is tried."""

_RETRIED, _ACTIVE, _PENDING = "upstream_rq_retry", "upstream_rq_active", "upstream_rq_pending_active"
_KNOWN, _ENDPOINTS = "warming_state", "membership_healthy"
_WANTED = (_KNOWN, _ENDPOINTS, _COMPLETED, _TORN, *_ENTRIES, _RETRIED, _ACTIVE, _PENDING)
_STATUS = "upstream_rq_"
_CLUSTER = "cluster."
_LONGEST_NUMBER = 19


@dataclass(slots=True)
class Backend:
    """A backend as one proxy has it.

    Attributes:
        shown: values by the counter's name, over all ports of the backend that are looked at.
        endpoints: that requests can go to; None where the proxy does not know the backend.
    """

    shown: Counter[str] = field(default_factory=Counter)
    endpoints: int | None = None

    @property
    def counts(self) -> dict[str, int]:
        """What only grows: requests, torn answers, and answers by status."""
        found = {REQUESTS: self.shown[_COMPLETED], TORN: self.shown[_TORN]}
        for name, value in self.shown.items():
            status = name.removeprefix(_STATUS)
            if status.isdecimal():
                found[status] = value
        return {name: value for name, value in found.items() if value}

    @property
    def begun(self) -> int:
        """Requests that were begun, answered or not."""
        entered = sum(self.shown[name] for name in _ENTRIES) - self.shown[_RETRIED] + self.shown[_PENDING]
        return max(entered, self.shown[_COMPLETED])

    @property
    def abandoned(self) -> int:
        """Requests that got no answer because the client went away; fewer while bodies are under way."""
        return max(self.begun - self.shown[_PENDING] - self.shown[_ACTIVE] - self.shown[_COMPLETED], 0)


@dataclass(frozen=True, slots=True)
class Statistics:
    """A page.

    Attributes:
        backends: by revision.
        uptime: of the proxy, in seconds; None where the page does not say.
        speaks: whether this is a page of Envoy's at all.
    """

    backends: Mapping[str, Backend]
    uptime: int | None
    speaks: bool


def query_for(clusters: Iterable[str], firsts: str = "5", naming: Naming = CONTOUR) -> str:
    """The query that shows of these clusters what is needed, and nothing else.

    Args:
        clusters: names without the port; of none, of all.
        firsts: first digits of the statuses that are wanted.
        naming: of the clusters.
    """
    named = "|".join(f"{cluster}{naming.port}" for cluster in clusters) or _ANY_CLUSTER
    counters = "|".join((*_WANTED, rf"{_STATUS}[{firsts}]\d\d"))
    wanted = rf"^(cluster\.({named})\.({counters})|server\.uptime)$"
    return f"usedonly&filter={quote(wanted, safe='')}"


_ANY_CLUSTER = "[^.]+"


@dataclass(slots=True)
class Shown:
    """A page, taken apart once for all that read it.

    Attributes:
        services: values by the counter's name, by port, by the cluster's name without the port.
        uptime: of the proxy, in seconds; None where the page does not say.
        speaks: whether this is a page of Envoy's at all.
    """

    services: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    uptime: int | None = None
    speaks: bool = False

    def of(self, clusters: Mapping[str, str]) -> Statistics:
        """What it says of each revision; ``clusters`` gives it by its cluster's name without the port."""
        found = {revision: Backend() for revision in clusters.values()}
        for cluster, revision in clusters.items():
            for values in self.services.get(cluster, {}).values():
                _add(found[revision], values)
        return Statistics(found, self.uptime, self.speaks)


def shown_on(page: str, clusters: Collection[str], most: int = MOST_SERIES, naming: Naming = CONTOUR) -> Shown:
    """What a page says of these clusters, which are named without their ports.

    Raises:
        OverBudgetError: it has more than ``most`` lines: far more than was asked for.
    """
    if (lines := page.count("\n")) > most:
        raise over("lines of statistics", lines, most)
    shown = Shown()
    current: str = ""
    values: dict[str, int] | None = None
    for name, value in _numbers(page):
        if not name.startswith(_CLUSTER):
            if name == "server.uptime":
                shown.uptime, shown.speaks = value, True
            continue
        shown.speaks = True
        cluster, _, counter = name[len(_CLUSTER) :].partition(".")
        if cluster != current:
            current, (service, port) = cluster, naming.split(cluster)
            values = shown.services.setdefault(service, {}).setdefault(port, {}) if service in clusters else None
        if values is not None:
            values[counter] = values.get(counter, 0) + value
    return shown


def statistics_on(page: str, clusters: Mapping[str, str]) -> Statistics:
    """What a page says of each revision; as in :meth:`Shown.of`.

    Raises:
        OverBudgetError: it is far longer than what was asked for.
    """
    return shown_on(page, clusters).of(clusters)


def backends_on(page: str, clusters: Mapping[str, str]) -> Mapping[str, Backend]:
    """Each revision as a page shows it; ``clusters`` gives the revision by its cluster's name without the port."""
    return statistics_on(page, clusters).backends


def _numbers(page: str) -> Iterator[tuple[str, int]]:
    for line in page.split("\n"):
        name, _, value = line.rstrip("\r").partition(": ")
        if len(value) <= _LONGEST_NUMBER and value.isascii() and value.isdecimal():
            yield name, int(value)


def _add(backend: Backend, values: Mapping[str, int]) -> None:
    for counter, value in values.items():
        if counter in {_KNOWN, _ENDPOINTS}:
            backend.endpoints = (backend.endpoints or 0) + (value if counter == _ENDPOINTS else 0)
        else:
            backend.shown[counter] += value

"""What Envoy says of a backend: its `/stats` page, and what moves on it in which case.

Measured on Envoy 1.40 with requests of each sort (`?usedonly`; counters are live, only histograms wait for a flush):

======================== ========== ================================================ =========================
what the backend did     client     cluster counters that move                       counted here as
======================== ========== ================================================ =========================
answers 500              500        rq_completed, rq_5xx, rq_500                     error 500
refuses the connection   503        rq_completed, rq_5xx, rq_503, cx_connect_fail    error 503
has no endpoint          503        rq_completed, rq_5xx, rq_503, cx_none_healthy    error 503
resets before a header   503        rq_completed, rq_5xx, rq_503, cx_destroy_*       error 503
misses the time-out      504        rq_completed, rq_5xx, rq_504                     error 504
breaks off its body      200, torn  rq_completed, rq_2xx, rq_200, cx_protocol_error  error cut
======================== ========== ================================================ =========================

So ``upstream_rq_completed`` counts every request once, also those that never reached a pod (``upstream_rq_total`` does
not: it stays at 0 without endpoints), and the codes say which failed. ``warming_state`` is there for every cluster that
Envoy knows, which tells a backend without requests from one without a route. ``server.uptime`` falls on a restart.

``membership_healthy`` is how many endpoints a request can go to. A backend that is new to a route has none for 20 to
120 ms, because Envoy learns of the cluster before it learns of its endpoints: what is sent to it meanwhile is answered
503. That is why the count is told along with the counters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REQUESTS, TORN, BAD_ANSWER, UPTIME = "requests", "torn", "502", "uptime"
_COUNTERS = {"upstream_rq_completed": REQUESTS, "upstream_cx_protocol_error": TORN}
_KNOWN, _ENDPOINTS = "warming_state", "membership_healthy"
_LINE = re.compile(r"^cluster\.([^.]+)_\d+\.(\w+): (\d+)$", re.MULTILINE)
_UPTIME_LINE = re.compile(r"^server\.uptime: (\d+)$", re.MULTILINE)


@dataclass(slots=True)
class Backend:
    """A backend as one proxy has it.

    Attributes:
        counts: requests, torn answers and failures by code; and the proxy's uptime, which falls when it restarts.
        endpoints: that requests can go to; None where the proxy does not know the backend.
    """

    counts: dict[str, int] = field(default_factory=dict)
    endpoints: int | None = None


def query_for(clusters: Iterable[str], port: int | None) -> str:
    """The query that shows of these clusters (named without their port) what is needed, and nothing else."""
    ports = r"\d+" if port is None else port
    counters = "|".join((_KNOWN, _ENDPOINTS, *_COUNTERS, r"upstream_rq_5\d\d"))
    wanted = rf"^(cluster\.({'|'.join(clusters)})_{ports}\.({counters})|server\.uptime)$"
    return f"usedonly&filter={quote(wanted, safe='')}"


def backends_on(page: str, clusters: Mapping[str, str]) -> dict[str, Backend]:
    """Each revision as a page shows it; ``clusters`` gives the revision by its cluster's name without the port."""
    uptime = _UPTIME_LINE.search(page)
    common = {UPTIME: int(uptime[1])} if uptime else {}
    found = {revision: Backend(dict(common)) for revision in clusters.values()}
    for cluster, counter, value in _LINE.findall(page):
        if cluster in clusters:
            _add(found[clusters[cluster]], counter, int(value))
    return found


def _add(backend: Backend, counter: str, value: int) -> None:
    if counter in {_KNOWN, _ENDPOINTS}:
        backend.endpoints = (backend.endpoints or 0) + (value if counter == _ENDPOINTS else 0)
        return
    key = _COUNTERS.get(counter) or counter.removeprefix("upstream_rq_")
    backend.counts[key] = backend.counts.get(key, 0) + value

"""What the services count, named as Prometheus' conventions want it; ``process_*`` comes with the client library."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

disable_created_metrics()  # type: ignore[no-untyped-call]  # half of every scrape, and nobody reads them

# Dense where a service of this kind answers (5 to 100 ms) and where a slow version lands (200 to 500 ms).
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)
AGES = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)

REQUESTS = Counter("http_requests", "Answers given", ["method", "route", "code"])
DURATION = Histogram("http_request_duration_seconds", "Time to answer", ["method", "route"], buckets=SECONDS)
IN_FLIGHT = Gauge("http_requests_in_flight", "Requests being worked on")
PUBLISHED = Counter("messages_published", "Orders handed to the broker", ["outcome"])
BUFFERED = Gauge("messages_buffered", "Orders waiting for the broker")
CONSUMED = Counter("messages_consumed", "Messages taken from the queue", ["outcome"])
SENT = Counter("outside_sent", "What a stand-in sent", ["outcome"])
AGE = Histogram("message_age_seconds", "Time from the order to its bill", buckets=AGES)
INFO = Gauge("shop_info", "Always 1; says which version this is", ["version", "service"])


@cache
def answered(method: str, route: str, code: int) -> Callable[[float], None]:
    """A function that counts one answer of this kind, given its duration in seconds; looked up once per kind."""
    requests, duration = REQUESTS.labels(method, route, str(code)), DURATION.labels(method, route)

    def count(seconds: float) -> None:
        requests.inc()
        duration.observe(seconds)

    return count

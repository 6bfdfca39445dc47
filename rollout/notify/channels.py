"""Where people are told of a release: one small protocol, and the channels that every engine has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from kube.errors import InvalidError, TooLargeError
from rollout.api.journal import JournalKind
from rollout.api.revision import MANAGER
from rollout.api.spec import API_VERSION, KIND
from rollout.api.status import timestamp
from rollout.api.texts import clean
from rollout.notify import metrics

if TYPE_CHECKING:
    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.api.status import JournalEntry, Release

log: Any = structlog.get_logger()
COMMAND, NOTE = "command", "note"
"""What is told of a release and is in no journal: a command that cannot be read, and what people should know."""

WARNINGS = frozenset(
    {
        JournalKind.ALTERED,
        JournalKind.ROLLED_BACK,
        JournalKind.ABORTED,
        JournalKind.HELD,
        JournalKind.DRIFT,
        COMMAND,
        NOTE,
    }
)
MOST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class News:
    """One thing that people are told of a release.

    Attributes:
        namespace: of the GrayRelease.
        name: of the GrayRelease.
        uid: of the GrayRelease.
        entry: when, what, in which words.
        releases: the release whose journal has it, as it was known then; none for what no journal tells.
    """

    namespace: str
    name: str
    uid: str
    entry: JournalEntry
    releases: tuple[Release, ...] = ()

    @property
    def text(self) -> str:
        """The words, fit for a line."""
        return clean(self.entry.text, most=MOST_TEXT)


class Channel(Protocol):
    """Tells people.

    Each entry comes at least once and in order, one at a time for each release. It comes again after an error or a
    time-out, so a channel raises only what may pass: an entry that nobody will ever take is to be left out and counted.

    Attributes:
        name: under which the status remembers how far it came; never changed.
    """

    name: str

    async def tell(self, entry: News) -> None:
        """Tell one thing; any error means that it is to be told again."""
        ...


class Log:
    """The engine's own log."""

    name = "log"

    async def tell(self, entry: News) -> None:
        """Write one line."""
        told = entry.entry
        log.info(entry.text, what=str(told.what), release=f"{entry.namespace}/{entry.name}", weight=told.weight)


class Counters:
    """What Prometheus counts of releases that ended."""

    name = "metrics"

    async def tell(self, entry: News) -> None:
        """Count the end of a release; everything else is no end."""
        for release in entry.releases if entry.entry.what == JournalKind.ENDED else ():
            if release.outcome is not None:
                metrics.ENDED.labels(entry.namespace, entry.name, release.outcome.value).inc()
                metrics.EXCESS.labels(entry.namespace, entry.name).inc(max(0.0, release.excess_failed_requests))
                _reaction(release)


def _reaction(release: Release) -> None:
    times = release.reaction
    if times.evidence_at is None:
        return
    stages = (("decided", times.decided_at), ("written", times.written_at), ("observed", times.observed_at))
    for stage, moment in stages:
        if moment is not None:
            metrics.REACTION.labels(stage).observe(max(0.0, moment - times.evidence_at))


class Events:
    """Kubernetes events of the GrayRelease."""

    name = "events"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def tell(self, entry: News) -> None:
        """Post one event.

        Raises:
            KubeError: it was not taken, and may be later.
        """
        try:
            await self._cluster.create(event_of(entry))
        except (InvalidError, TooLargeError) as error:  # and never will be
            metrics.FAILURES.labels("Tell").inc()
            log.warning("event refused", release=f"{entry.namespace}/{entry.name}", error=str(error))


def event_of(news: News) -> Manifest:
    """A Kubernetes event that says one thing."""
    stamp = timestamp(news.entry.at)[:19] + "Z"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{news.name}-", "namespace": news.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": news.name,
            "namespace": news.namespace,
            "uid": news.uid,
        },
        "reason": "".join(part.capitalize() for part in news.entry.what.split("-")),
        "message": news.text,
        "type": "Warning" if news.entry.what in WARNINGS else "Normal",
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
        "source": {"component": MANAGER},
        "reportingComponent": "grayling.dev/engine",
    }


def usual(cluster: Cluster) -> tuple[Channel, ...]:
    """The channels that every engine has."""
    return Log(), Counters(), Events(cluster)

"""The ports of a component, said once with who may reach them: policies, Services, scraping and the docs follow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

METRICS = "metrics"
"""The port name by which Prometheus finds what it scrapes."""

METRICS_PATH = "/metrics"
METRICS_PATH_ANNOTATION = "prometheus.io/path"
_LAST_PORT = 65535


class Readers(Flag):
    """Who may reach a port; several are joined with ``|``."""

    GATEWAYS = auto()
    """Those that bring requests from outside."""
    SCRAPERS = auto()
    """Those that read metrics all the time."""
    MEASURERS = auto()
    """Those that read it where a signal says so."""
    USERS = auto()
    """Members of the stack that declare to use the component."""
    MEMBERS = auto()
    """The component's own pods."""
    ANYONE = auto()
    """Inside the cluster or out."""
    RECONCILERS = auto()
    """Those that make its declared topology true."""


WHO = {
    Readers.GATEWAYS: "the gateway",
    Readers.SCRAPERS: "Prometheus",
    Readers.MEASURERS: "the engine",
    Readers.USERS: "who uses it",
    Readers.MEMBERS: "its own pods",
    Readers.ANYONE: "anyone",
    Readers.RECONCILERS: "the reconciler of topologies",
}
"""As the docs name them."""

NOBODY = Readers(0)
GATEWAYS, SCRAPERS, MEASURERS = Readers.GATEWAYS, Readers.SCRAPERS, Readers.MEASURERS
USERS, MEMBERS, ANYONE = Readers.USERS, Readers.MEMBERS, Readers.ANYONE
RECONCILERS = Readers.RECONCILERS


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One port of a component.

    Attributes:
        name: of the port, in pods and Services.
        port: its number in the pods.
        readers: who may reach it; nobody means that only probes do.
        about: what is spoken there, for the docs.
        part: whose pods listen, where a component has several workloads.
        container: which container listens; the pod's first if empty.
        served: its number on Services; ``port`` if 0.
        last: end of a range that begins at ``port``; Services and containers cannot name one, policies alone have it.
        member: the part that ``MEMBERS`` stands for; all parts if None.
        app_protocol: what is spoken there, for those who read it from the Service.
        path: of the metrics, where ``SCRAPERS`` may read.
    """

    name: str
    port: int
    readers: Readers = NOBODY
    about: str = ""
    part: str | None = None
    container: str = ""
    served: int = 0
    last: int = 0
    member: str | None = None
    app_protocol: str = ""
    path: str = METRICS_PATH

    def __post_init__(self) -> None:
        """Refuse what would be declared and never reached.

        Raises:
            ValueError: it is no port, or Prometheus would not find it.
        """
        if not 1 <= self.port <= (self.last or self.port) <= _LAST_PORT:
            raise ValueError(f"endpoint {self.name!r}: {self.port} to {self.last or self.port} are no ports")
        if self.open_to(SCRAPERS) and (self.name != METRICS or self.last):
            raise ValueError(f"endpoint {self.name!r}: Prometheus looks for one port called {METRICS!r}; call it so")

    def open_to(self, readers: Readers) -> bool:
        """Whether one of these may reach it."""
        return bool(self.readers & readers)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Every port of it."""
        return tuple(range(self.port, (self.last or self.port) + 1))


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody a component talks to (``out``) or hears from (``in``), on which ports, and why.

    ``pods`` are labels in ``namespace`` (the same one if empty); None means anyone, there or, without a namespace,
    inside the cluster or out; the namespace ``*`` is any of the cluster. ``cidr`` is a network instead of pods.
    ``every_port`` is for those whose ports nobody here can know.
    """

    direction: Literal["in", "out"]
    pods: Mapping[str, str] | None
    ports: tuple[int, ...]
    why: str
    namespace: str = ""
    every_port: bool = False
    cidr: str = ""
    protocol: Literal["TCP", "UDP"] = "TCP"


API_SERVER = Peer("out", None, (443, 6443), "the API server, whose address no selector can name")

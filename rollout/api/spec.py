"""What a GrayRelease asks for: the version that should run, how it is brought in, and what it is judged by.

These models are the one source of the custom resource's schema (``rollout.api.crd``), of its defaults and of its error
messages. They are the part of the engine that the declaring half may import.
"""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rollout.api.durations import Seconds
from rollout.api.paths import (
    LONGEST,
    PAGE,
    PAGE_AND_QUERY,
    checked,
)
from rollout.api.patterns import LONGEST_PATTERN, compiled
from rollout.api.texts import clean, told
from rollout.api.traffic import ParentRef, Traffic
from rollout.api.wire import (
    API_VERSION,
    FREE_FORM,
    GROUP,
    INT_OR_STRING,
    KIND,
    VERSION,
    Model,
    Name,
    by_key,
)
from rollout.api.workload import Port, Workload
from rollout.signals.kinds import SIGNAL_KINDS, Family, SignalKind, SourceName, of_family

if TYPE_CHECKING:
    from pydantic.config import JsonDict

__all__ = [  # what others find here that stands in modules of its own
    "API_VERSION",
    "FREE_FORM",
    "GROUP",
    "INT_OR_STRING",
    "KIND",
    "VERSION",
    "Model",
    "Name",
    "ParentRef",
    "Port",
    "SignalKind",
    "SourceName",
    "Traffic",
    "Workload",
    "by_key",
]

COMMAND_ANNOTATION = f"{GROUP}/command"
REQUESTED_BY_ANNOTATION = f"{GROUP}/requested-by"
REASON_ANNOTATION = f"{GROUP}/reason"
REQUESTED_REVISION_ANNOTATION = f"{GROUP}/requested-revision"
"""Of which version the two before it tell; of any where it is missing."""

FINALIZER = f"{GROUP}/release"

StatusName = Annotated[str, Field(pattern=r"^!?([1-9]xx|[A-Za-z0-9_]+)$", max_length=41)]


def page_schema(pattern: str) -> JsonDict:
    """Schema of a page's path."""
    return {"pattern": pattern, "maxLength": LONGEST}


def _page_alone(path: str) -> str:
    return checked(path, query=False)


_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
PORT_TEXT = rf"^({_PORT}|([a-z0-9][-a-z0-9]*)?[a-z]([-a-z0-9]*[a-z0-9])?)$"
"""The number of a port, or a name: those have a letter in them."""

BASE_URL = rf"^https?://[A-Za-z0-9][A-Za-z0-9.-]{{0,252}}(:{_PORT})?(/\.?[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$"
MOST_RATIO, MOST_FAILED = 1000, 1_000_000_000
"""Beyond them a tolerance, a margin and a budget would let everything pass."""

LONGEST_PORT, LONGEST_QUERY, LONGEST_URL, MOST_LABELS = 63, 4096, 512, 64


def _base_url(url: str) -> str:
    """The base URL of a Prometheus.

    Raises:
        ValueError: it is none; says what to write.
    """
    if len(url) > LONGEST_URL or not re.fullmatch(BASE_URL[1:-1], url):
        raise ValueError(f"{told(url)!r} is no base URL; write http://HOST:PORT, without user, query or fragment")
    return url


def _container_port(port: str | int) -> str | int:
    """A port by number or name.

    Raises:
        ValueError: it is neither.
    """
    if len(str(port)) > LONGEST_PORT or not re.fullmatch(PORT_TEXT[1:-1], str(port)):
        raise ValueError(f"port: {clean(port)!r} is neither a number from 1 to 65535 nor the name of a port")
    return port


LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
LONGEST_LABEL = 317
Metric = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)]
ContainerName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=64)]
Percent = Annotated[int, Field(ge=0, le=100)]


class Gate(StrEnum):
    """What must happen before a step's weight is written."""

    NONE = "none"
    MANUAL = "manual"


class Step(Model):
    """One share of the traffic, held for some time."""

    weight: Annotated[int, Field(ge=1, le=100)] = Field(description="percent of requests that reach the canary")
    hold: Seconds = Field(default=60.0, description="how long it is judged at this weight, from its verification on")
    gate: Gate = Field(default=Gate.NONE, description="manual: wait for `grayling release promote` before this step")


class DriverName(StrEnum):
    """How the pods of a version run, and so what a share of it is. What is not built is refused before it begins."""

    GATEWAY = "gateway"
    REPLICAS = "replicas"
    ORDINAL = "ordinal"
    NODES = "nodes"


class Strategy(Model):
    """How a version is brought in."""

    driver: DriverName = Field(
        default=DriverName.GATEWAY,
        description="gateway: Deployments, a share is a weight of the HTTPRoute; no other is built in this version",
    )
    steps: Annotated[list[Step], Field(min_length=1, max_length=32)] = Field(
        default_factory=lambda: [Step(weight=5), Step(weight=20), Step(weight=50)]
    )
    ready_deadline: Seconds = Field(default=300.0, description="pods not ready within this time: taken back")
    verify_deadline: Seconds = Field(default=60.0, description="route not accepted within this time: taken back")
    bake: Seconds = Field(default=300.0, description="how long the old version stays at full scale after promotion")
    drain: Seconds = Field(default=5.0, description="time between weight 0 and scaling a version down")

    @model_validator(mode="after")
    def _weights_rise(self) -> Self:
        weights = [step.weight for step in self.steps]
        if any(later <= earlier for earlier, later in pairwise(weights)):
            raise ValueError(f"steps: weights must rise from step to step, found {weights}")
        return self


_WEIGHTS = ", ".join(f"{kind} {row.weight:g}" for kind, row in SIGNAL_KINDS.items())
_METRICS = ", ".join(f"{kind} {row.metric}" for kind, row in SIGNAL_KINDS.items() if row.metric)
_SHARED = " or ".join(of_family(Family.FAILURES))
_FLOORS = ", ".join(f"{SIGNAL_KINDS[kind].floor:g}" for kind in of_family(Family.FAILURES))
_NAMELESS = " and ".join(kind for kind, row in SIGNAL_KINDS.items() if any(map(row.needs_metric, row.sources)))


USUAL_ERRORS = ("5xx",)
"""Where nothing else is said: the server's own failures."""

HTTP_STATUS = re.compile(r"!?[1-5](xx|[0-9][0-9])")
"""A status, or a class of them, as the gateway counts them."""


class Signal(Model):
    """One way in which a version can be worse, and where that is measured."""

    name: Name
    kind: SignalKind
    source: SourceName
    weight: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None,
        description=f"share of the false-rollback rate, in proportion to the other signals'; {_WEIGHTS}",
    )
    tolerance: Annotated[float, Field(ge=1, le=MOST_RATIO)] = Field(
        default=1.0, description="ratio to stable that is still accepted"
    )
    floor: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description=f"{_SHARED}: share of requests never worth a rollback; {_FLOORS} where not given"
    )
    port: Annotated[str | int, AfterValidator(_container_port)] = Field(
        default="metrics", json_schema_extra=INT_OR_STRING
    )
    path: Annotated[str, AfterValidator(checked), Field(json_schema_extra=page_schema(PAGE_AND_QUERY))] = "/metrics"
    metric: Metric | None = Field(
        default=None,
        description=f"counter with a label that says the status, histogram, counter or gauge; usually {_METRICS}; "
        f"{_NAMELESS} have no usual one",
    )
    label: LabelName = Field(default="code", description="errors: the counter's label that says the status")
    errors: Annotated[list[StatusName], Field(min_length=1, max_length=16)] | None = Field(
        default=None,
        description="errors: which statuses are, 5xx where not given; 4xx a class, 404 or Internal one, !404 not that "
        "one, !OK alone all others",
    )
    query: Annotated[str, Field(max_length=LONGEST_QUERY)] | None = Field(
        default=None,
        description="prometheus: PromQL instead of a metric; what each pod (label `pod`) has counted so far, by `code` "
        "for errors and `le` for latency, or a gauge; $namespace and $pods are filled in",
    )
    pattern: Annotated[str, Field(max_length=LONGEST_PATTERN)] | None = Field(
        default=None, description="logs: lines in which this regular expression (RE2's) is found are counted"
    )
    container: ContainerName | None = Field(
        default=None, description="logs: whose; needed where a pod has several containers"
    )
    threshold: Seconds | None = Field(
        default=None, description="latency: answers slower than this count as bad in `good`"
    )

    @model_validator(mode="after")
    def _source_can_read_it(self) -> Self:
        row = SIGNAL_KINDS[self.kind]
        allowed = sorted(source.value for source in row.sources)
        if self.source not in row.sources:
            raise ValueError(
                f"signal {self.name}: source {self.source.value} has no {self.kind.value}; use {' or '.join(allowed)}"
            )
        if self.source is SourceName.LOGS:
            self._pattern_is_one()
        elif self.metric is None and self.query is None and row.needs_metric(self.source):
            raise ValueError(
                f"signal {self.name}: kind {self.kind.value} has no usual metric; name one, for example metric: x_total"
            )
        self._query_is_alone()
        self._statuses_can_be_told()
        return self

    def _statuses_can_be_told(self) -> None:
        """Which answers are errors is said of errors alone; the gateway knows HTTP statuses and nothing else."""
        if SIGNAL_KINDS[self.kind].family is not Family.FAILURES and (self.errors or self.label != "code"):
            raise ValueError(f"signal {self.name}: only kind {_SHARED} takes errors and label, not {self.kind.value}")
        if self.source is not SourceName.GATEWAY:
            return
        odd = [each for each in self.errors or () if not HTTP_STATUS.fullmatch(each)]
        if odd or self.label != "code":
            raise ValueError(
                f"signal {self.name}: the gateway counts HTTP statuses alone, not {odd[0] if odd else self.label}; "
                "read others at the pods, for gRPC with source: pods, label: grpc_code, errors: ['!OK']"
            )

    def _query_is_alone(self) -> None:
        if self.query is None:
            return
        if self.source is not SourceName.PROMETHEUS:
            raise ValueError(f"signal {self.name}: only source prometheus takes a query, not {self.source.value}")
        if self.metric is not None:
            raise ValueError(f"signal {self.name}: give a metric or a query, not both")
        if not self.query.strip():
            raise ValueError(f"signal {self.name}: the query is empty; for example sum by (pod) (x_total)")

    def _pattern_is_one(self) -> None:
        if not self.pattern:
            raise ValueError(f"signal {self.name}: source logs needs a pattern, for example pattern: ERROR|panic")
        try:
            compiled(self.pattern)
        except ValueError as error:
            raise ValueError(f"signal {self.name}: {error}") from None


class OnDoubt(StrEnum):
    """What happens when the judge cannot say good or bad."""

    GO_ON = "go-on"
    HOLD = "hold"
    ROLL_BACK = "roll-back"


class Doubt(Model):
    """Policy of one verdict: hold for at most `deadline`, then `then`."""

    action: OnDoubt = OnDoubt.HOLD
    deadline: Seconds = Field(default=600.0, description="how long a hold may last")
    then: Literal["go-on", "roll-back"] = "roll-back"


class Sampling(Model):
    """How often sources are read: fast while a step is young, slower once it has proven itself."""

    young: Seconds = 0.25
    settled: Seconds = 1.0
    young_for: Seconds = 120.0


class Analysis(Model):
    """What a release is judged by, and what each verdict leads to."""

    false_rollback_rate: Annotated[float, Field(gt=0, le=0.2)] = Field(
        default=0.01, description="stated for the whole release, however often it is looked at"
    )
    missed_rate: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    horizon: Seconds = Field(default=1800.0, description="time over which a fault is expected to begin")
    promotion_margin: Annotated[float, Field(gt=1, le=MOST_RATIO)] = Field(
        default=2.0, description="`good` proves the ratio is below this"
    )
    blast_budget: Annotated[int, Field(ge=1, le=MOST_FAILED)] | None = Field(
        default=None, description="excess failed requests after which the canary goes at once"
    )
    signals: Annotated[list[Signal], Field(max_length=32)] = Field(
        default_factory=list, json_schema_extra=by_key("name")
    )
    sampling: Sampling = Sampling()
    undecided: Doubt = Doubt(action=OnDoubt.GO_ON)
    no_traffic: Doubt = Doubt(action=OnDoubt.HOLD, deadline=1800.0)
    no_data: Doubt = Doubt(action=OnDoubt.HOLD, deadline=300.0)
    source_down: Doubt = Doubt(action=OnDoubt.HOLD, deadline=900.0)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [signal.name for signal in self.signals]
        if len(set(names)) != len(names):
            raise ValueError(f"signals: every signal needs a name of its own, found {names}")
        return self


def _labels(selector: dict[str, str]) -> dict[str, str]:
    """Labels by key.

    Raises:
        ValueError: a key is none.
    """
    if odd := [key for key in selector if len(key) > LONGEST_LABEL or not re.fullmatch(LABEL_KEY[1:-1], key)]:
        raise ValueError(f"selector: {told(odd[0])!r} is no key of a label; write app.kubernetes.io/name: envoy")
    return selector


class GatewayStats(Model):
    """Which pods are the gateway's data plane, and where they show their statistics (Envoy's `/stats`)."""

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
    selector: Annotated[
        dict[str, Annotated[str, Field(pattern=LABEL_VALUE, max_length=63)]],
        Field(min_length=1, max_length=MOST_LABELS),
        AfterValidator(_labels),
    ]
    port: Annotated[int, Field(ge=1, le=65535)] = 8002
    path: Annotated[str, AfterValidator(_page_alone), Field(json_schema_extra=page_schema(PAGE))] = "/stats"


class Sources(Model):
    """Addresses of the sources that need one."""

    gateway: GatewayStats | None = None
    prometheus: Annotated[str, AfterValidator(_base_url)] | None = Field(
        default=None,
        description="base URL, http://prometheus.monitoring:9090",
        json_schema_extra={"pattern": BASE_URL, "maxLength": LONGEST_URL},
    )


class Spec(Model):
    """`spec` of a GrayRelease."""

    workload: Workload
    traffic: Traffic | None = Field(default=None, description="none: pods only, replaced without a share")
    strategy: Strategy = Strategy()
    analysis: Analysis = Analysis()
    sources: Sources = Sources()
    deletion: Literal["Delete", "Orphan"] = Field(
        default="Delete", description="Orphan leaves pods and route running when the GrayRelease is deleted"
    )
    history: Annotated[int, Field(ge=1, le=100)] = Field(default=10, description="release records kept in the cluster")
    record: bool = Field(
        default=False, description="keep what the judge is shown, to judge it again with other policies"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = {port.name for port in self.workload.ports}
        if self.traffic and not names:
            raise ValueError(
                "workload.ports: traffic needs a port to go to; name one, for example {name: http, port: 8080}"
            )
        if self.traffic and self.traffic.port and self.traffic.port not in names:
            raise ValueError(f"traffic.port: {self.traffic.port!r} is no workload port; there are {sorted(names)}")
        for signal in self.analysis.signals:
            if signal.source is SourceName.GATEWAY and not self.sources.gateway:
                raise ValueError(f"signal {signal.name}: source gateway needs sources.gateway (namespace and selector)")
            if signal.source is SourceName.PROMETHEUS and not self.sources.prometheus:
                raise ValueError(f"signal {signal.name}: source prometheus needs sources.prometheus (its URL)")
        return self

    @property
    def traffic_port(self) -> Port | None:
        """The port that the route's backends use; None without traffic."""
        if self.traffic is None:
            return None
        wanted = self.traffic.port or self.workload.ports[0].name
        return next(port for port in self.workload.ports if port.name == wanted)

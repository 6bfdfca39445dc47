"""What a release is judged by: one signal, its kind, and where and how it is read."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from rollout.api.durations import Seconds
from rollout.api.paths import LONGEST, PAGE_AND_QUERY, checked
from rollout.api.patterns import LONGEST_PATTERN, compiled
from rollout.api.texts import clean
from rollout.api.wire import INT_OR_STRING, PORT_NUMBER, Model
from rollout.signals.kinds import SIGNAL_KINDS, Family, SignalKind, SourceName, of_family

StatusName = Annotated[str, Field(pattern=r"^!?([1-9]xx|[A-Za-z0-9_]+)$", max_length=41)]

PORT_TEXT = rf"^({PORT_NUMBER}|([a-z0-9][-a-z0-9]*)?[a-z]([-a-z0-9]*[a-z0-9])?)$"
"""The number of a port, or a name: those have a letter in them."""

LONGEST_PORT, LONGEST_QUERY = 63, 4096
MOST_RATIO = 1000
"""Beyond it a tolerance and a margin would let everything pass."""

Metric = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)]
SignalName = Annotated[str, Field(pattern=r"^[a-z_]([-a-zA-Z0-9_:.]{0,98}[a-zA-Z0-9_])?$", max_length=100)]
"""Any name that a metric has, too: so recordings call gauges."""

ContainerName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=64)]


def _container_port(port: str | int) -> str | int:
    """A port by number or name.

    Raises:
        ValueError: it is neither.
    """
    if len(str(port)) > LONGEST_PORT or not re.fullmatch(PORT_TEXT[1:-1], str(port)):
        raise ValueError(f"port: {clean(port)!r} is neither a number from 1 to 65535 nor the name of a port")
    return port


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

    name: SignalName
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
    path: Annotated[
        str, AfterValidator(checked), Field(json_schema_extra={"pattern": PAGE_AND_QUERY, "maxLength": LONGEST})
    ] = "/metrics"
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

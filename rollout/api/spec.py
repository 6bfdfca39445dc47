"""What a GrayRelease asks for: the version that should run, how it is brought in, and what it is judged by.

These models are the one source of the custom resource's schema (``rollout.api.crd``), of its defaults and of its error
messages. They are the part of the engine that the declaring half may import.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rollout.api.durations import Seconds
from rollout.api.signal import MOST_RATIO, USUAL_ERRORS, Signal
from rollout.api.sources import GatewayStats, Sources
from rollout.api.strategy import DriverName, Gate, Step, Strategy
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
from rollout.signals.kinds import SignalKind, SourceName

__all__ = [  # what others find here that stands in modules of its own
    "API_VERSION",
    "FREE_FORM",
    "GROUP",
    "INT_OR_STRING",
    "KIND",
    "USUAL_ERRORS",
    "VERSION",
    "DriverName",
    "Gate",
    "GatewayStats",
    "Model",
    "Name",
    "ParentRef",
    "Port",
    "Signal",
    "SignalKind",
    "SourceName",
    "Sources",
    "Step",
    "Strategy",
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

TWO_NAMES = "record: it is the old name of recording, which is given too; leave record out"
OLD_RECORD = "spec.record is the old name of spec.recording; write recording: true"
MOST_FAILED = 1_000_000_000
"""Beyond it a budget would let everything pass."""


class VerdictAction(StrEnum):
    """What happens when the judge cannot say good or bad."""

    GO_ON = "go-on"
    HOLD = "hold"
    ROLL_BACK = "roll-back"


class VerdictPolicy(Model):
    """Policy of one verdict: hold for at most `deadline`, then `then`."""

    action: VerdictAction = VerdictAction.HOLD
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
    undecided: VerdictPolicy = VerdictPolicy(action=VerdictAction.GO_ON)
    no_traffic: VerdictPolicy = VerdictPolicy(action=VerdictAction.HOLD, deadline=1800.0)
    no_data: VerdictPolicy = VerdictPolicy(action=VerdictAction.HOLD, deadline=300.0)
    source_down: VerdictPolicy = VerdictPolicy(action=VerdictAction.HOLD, deadline=900.0)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [signal.name for signal in self.signals]
        if len(set(names)) != len(names):
            raise ValueError(f"signals: every signal needs a name of its own, found {names}")
        return self


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
    recording: bool | None = Field(
        default=None, description="keep what the judge is shown, to judge it again with other policies"
    )
    record: bool | None = Field(default=None, description="the old name of `recording`, still taken")

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

    @model_validator(mode="after")
    def _recording_has_one_name(self) -> Self:
        if self.record and self.recording is not None:  # an older definition wrote record: false into every object
            raise ValueError(TWO_NAMES)
        return self

    @property
    def is_recorded(self) -> bool:
        """Whether what the judge is shown is kept."""
        return bool(self.record if self.recording is None else self.recording)

    @property
    def old_names(self) -> tuple[str, ...]:
        """What is given by a name that is old, a sentence each."""
        return (OLD_RECORD,) if self.record else ()

    @property
    def traffic_port(self) -> Port | None:
        """The port that the route's backends use; None without traffic."""
        if self.traffic is None:
            return None
        wanted = self.traffic.port or self.workload.ports[0].name
        return next(port for port in self.workload.ports if port.name == wanted)

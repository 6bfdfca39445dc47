"""What a stack file may say of an application: one container and port as a rule, more where that is not enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, field_validator, model_validator

from components.contracts.settings import Contracts
from components.model.mistakes import shown
from components.model.promql import FILLED, check_by_pod, check_promql
from components.model.settings import ComponentSettings, WorkloadSettings
from components.model.values import (
    MOST_IN_ONE_OBJECT,
    FileName,
    Hostname,
    Image,
    Label,
    Limit,
    PortNumber,
)
from components.releases.autoscaling import Autoscaling
from components.releases.matches import check_matches
from components.workloads.companions import (
    TAKEN_PORTS,
    TAKEN_VOLUMES,
    TMP,
    Env,
    ExtraPort,
    InitContainer,
    Mounts,
    OwnCheck,
    Sidecar,
    VolumeSource,
    twice,
)
from components.workloads.egress import Egress
from rollout.api.spec import TWO_NAMES, Analysis, Strategy
from rollout.api.strategy import not_built
from rollout.api.traffic import Match
from rollout.api.workload import LONGEST_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG_PATH = "/etc/service"
FileText = Annotated[str, Field(max_length=LONGEST_FILE)]


class Probes(ComponentSettings):
    """How pods are asked whether they live and whether they can serve: paths on the admin port as a rule."""

    liveness: OwnCheck = OwnCheck(path="/healthz")
    readiness: OwnCheck = OwnCheck(path="/readyz")
    startup_seconds: Annotated[int, Field(ge=1, le=3600)] = 60


class Reached(ComponentSettings):
    """How requests reach the service through the gateway."""

    hostnames: Annotated[list[Hostname], Field(max_length=14)] = Field(
        default_factory=list, description="<name>.<hostname suffix> if none is given"
    )
    matches: Annotated[list[Match], Field(max_length=64)] = Field(
        default_factory=list, description="as an HTTPRoute has them; all paths if none is given"
    )
    request_timeout: Limit | None = Field(
        default=None, description="until the answer is there, else 504; 0 for no limit, the gateway's if not given"
    )

    @model_validator(mode="after")
    def _gateway_takes_the_matches(self) -> Reached:
        check_matches(self.matches)
        return self


class ServiceSettings(WorkloadSettings):
    """Settings of an application."""

    image: Image
    command: Annotated[list[str], Field(max_length=1000)] = Field(default_factory=list)
    args: Annotated[list[str], Field(max_length=1000)] = Field(default_factory=list)
    replicas: Annotated[int, Field(ge=1, le=1000)] | None = Field(default=None, description="the tier's if not given")
    autoscaling: Autoscaling | None = Field(default=None, description="as many pods as the load needs")
    port: PortNumber | None = Field(default=8080, description="HTTP; null for a service that nobody calls")
    admin_port: PortNumber | None = Field(default=9000, description="metrics and probes; null for a program without")
    ports: Annotated[list[ExtraPort], Field(max_length=100)] = Field(default_factory=list, description="more ports")
    env: Env = Field(default_factory=dict)
    config: Annotated[dict[FileName, FileText], Field(max_length=64)] = Field(
        default_factory=dict, description="files, released together with the code"
    )
    init: Annotated[list[InitContainer], Field(max_length=50)] = Field(
        default_factory=list, description="run one after the other before it starts"
    )
    sidecars: Annotated[list[Sidecar], Field(max_length=50)] = Field(
        default_factory=list, description="run beside it in each pod"
    )
    volumes: Annotated[dict[Label, VolumeSource], Field(max_length=200)] = Field(
        default_factory=dict, description="by the name mounts say"
    )
    mounts: Mounts = Field(default_factory=dict, description="path in the container: volume, or volume#path-inside")
    uses: Annotated[list[str], Field(max_length=500)] = Field(
        default_factory=list, description="components it talks to: address, password, network"
    )
    egress: Annotated[list[Egress], Field(max_length=32)] = Field(
        default_factory=list, description="where it connects to besides what it uses and `uses` opens"
    )
    contract: Contracts = Contracts()
    probes: Probes = Probes()
    drain_seconds: Annotated[int, Field(ge=0, le=600)] = Field(default=5, description="between unready and stop")
    traffic: Reached | None = Field(default=None, description="none: not reached through the gateway")
    strategy: Strategy = Strategy()
    analysis: Analysis = Analysis()
    recording: bool | None = Field(
        default=None, description="keep what the judge is shown of each release, to judge it again; off if not given"
    )
    record: bool | None = Field(default=None, description="the old name of `recording`, still taken")

    @field_validator("config")
    @classmethod
    def _fits_into_one_object(cls, files: dict[str, str]) -> dict[str, str]:
        size = sum(len(name) + len(text.encode()) for name, text in files.items())
        if size > MOST_IN_ONE_OBJECT:
            raise ValueError(
                f"is {size} bytes together, and one object takes {MOST_IN_ONE_OBJECT}; "
                "put what is large into the image or a volume"
            )
        return files

    @field_validator("strategy")
    @classmethod
    def _driver_is_built(cls, strategy: Strategy) -> Strategy:
        if problem := not_built(strategy.driver):
            raise ValueError(problem.removeprefix("strategy."))
        return strategy

    @field_validator("analysis")
    @classmethod
    def _queries_are_promql(cls, analysis: Analysis) -> Analysis:
        for index, signal in enumerate(analysis.signals):
            if signal.query is not None:
                try:
                    check_promql(signal.query, FILLED)
                    check_by_pod(signal.query)
                except ValueError as error:
                    raise ValueError(f"signals.{index}.query: {shown(signal.query)}: {error}") from None
        return analysis

    @property
    def routed(self) -> ExtraPort | None:
        """The port the gateway sends requests to, where it is not ``port``."""
        return next((each for each in self.ports if each.routed), None)

    @model_validator(mode="after")
    def _reached_on_a_port(self) -> ServiceSettings:
        if self.traffic is not None and self.port is None and self.routed is None:
            raise ValueError("traffic needs a port: give one, for example port: 8080")
        return self

    @model_validator(mode="after")
    def _recording_has_one_name(self) -> ServiceSettings:
        if self.record is not None and self.recording is not None:
            raise ValueError(TWO_NAMES)
        return self

    @model_validator(mode="after")
    def _is_counted_once(self) -> ServiceSettings:
        if self.autoscaling is not None and self.replicas is not None:
            raise ValueError("replicas: autoscaling decides how many there are; leave one of the two out")
        return self

    @model_validator(mode="after")
    def _is_asked_where_it_listens(self) -> ServiceSettings:
        asked = (self.probes.liveness.asks_admin, self.probes.readiness.asks_admin)
        if self.admin_port is None and any(asked):
            raise ValueError(
                "probes: there is no admin port to ask; give liveness and readiness a port, or a command each"
            )
        known = {self.port, self.admin_port, *(each.port for each in self.ports if each.container is None)} - {None}
        for name, check in (("liveness", self.probes.liveness), ("readiness", self.probes.readiness)):
            if check.port not in {None, *known}:
                raise ValueError(
                    f"probes.{name}.port: {check.port} is none of the service's ports; declare it under ports"
                )
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> ServiceSettings:
        if again := twice([each.name for each in self.ports]):
            raise ValueError(f"ports: there are two of the name {again!r}; give each its own")
        if taken := {each.name for each in self.ports} & TAKEN_PORTS:
            raise ValueError(f"ports: {min(taken)!r} is the name of `port` or `adminPort`; use another")
        self._numbers_differ()
        if sum(each.routed for each in self.ports) > 1:
            raise ValueError("ports: requests go to one of them; set routed on one")
        sidecars = {each.name for each in self.sidecars}
        for each in self.ports:
            if each.container is not None and each.container not in sidecars:
                raise ValueError(f"ports: {each.name!r} is of {each.container!r}, and no sidecar has that name")
        return self

    def _numbers_differ(self) -> None:
        """The key that is said is named, not the one whose default it meets."""
        own = [("port", self.port, "port"), ("adminPort", self.admin_port, "admin_port")]
        own.sort(key=lambda each: each[2] in self.model_fields_set)
        said = [(key, number) for key, number, _ in own if number]
        taken: dict[int, str] = {}
        for key, number in [*said, *((f"ports.{index}.port", each.port) for index, each in enumerate(self.ports))]:
            if number in taken:
                raise ValueError(
                    f"{key}: {number} is the number of {taken[number]} too; containers of one pod share its ports"
                )
            taken[number] = key

    @model_validator(mode="after")
    def _containers_fit(self) -> ServiceSettings:
        if again := twice([each.name for each in (*self.init, *self.sidecars)]):
            raise ValueError(f"init, sidecars: there are two of the name {again!r}; give each its own")
        if taken := set(self.volumes) & TAKEN_VOLUMES:
            raise ValueError(f"volumes: {min(taken)!r} is there already; use another name")
        for where, mounts in self._mounts():
            self._mounted(where, mounts)
        return self

    def _mounts(self) -> Iterator[tuple[str, Mounts]]:
        yield "mounts", self.mounts
        for key, found in (("init", self.init), ("sidecars", self.sidecars)):
            yield from ((f"{key}: {each.name}", each.mounts) for each in found)

    def _mounted(self, where: str, mounts: Mounts) -> None:
        """Every volume is declared, and no path is one that something else is mounted at."""
        taken = {TMP: "the pod's own folder", **({CONFIG_PATH: "`config`"} if self.config else {})}
        for path, volume in mounts.items():
            if (name := volume.partition("#")[0]) not in self.volumes:
                known = ", ".join(sorted(self.volumes)) or "none"
                raise ValueError(f"{where}: {path} is of volume {name!r}, which is not declared; there is {known}")
            if path in taken:
                raise ValueError(f"{where}: at {path} is {taken[path]}; mount it elsewhere")

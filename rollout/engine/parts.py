"""What a holder is built from: the real parts in an engine, others in a test."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rollout.engine.clock import EngineClock
from rollout.engine.load import Load
from rollout.notify.channels import Channel, usual
from rollout.notify.courier import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.api.own_signals import ReadAs
    from rollout.api.spec import Spec
    from rollout.drivers import TrafficDriver
    from rollout.engine.mirror import Mirror
    from rollout.signals.looks import SignalLook
    from rollout.sources import Source


@dataclass(slots=True)
class Parts:
    """Connections, the mirror of the cluster, and the makers of what each release has of its own.

    Attributes:
        cluster: where to write.
        mirror: what is read without a request.
        identity: of this process.
        driver: moves the traffic of a GrayRelease by its spec; a spec without traffic moves weights alone.
        sources: reads the signals of a spec, each revision as it is to be read.
        history: what stable did before, where somebody knows.
        clock: seconds since the epoch.
        load: how much this engine has to do.
        more_channels: where people are told beside the log, the metrics and Kubernetes' events.
        channels: where people are told.
        turns: lets so many be told at the same time, by the name of the channel.
    """

    cluster: Cluster
    mirror: Mirror
    identity: str
    driver: Callable[[Manifest, Callable[[], Spec]], TrafficDriver]
    sources: Callable[[Spec, ReadAs], Sequence[Source]]
    history: Callable[[str, Spec, str], Awaitable[Sequence[SignalLook]] | None] | None = None
    clock: Callable[[], float] = field(default_factory=EngineClock)
    load: Load = field(default_factory=Load)
    more_channels: Sequence[Channel] = ()
    channels: tuple[Channel, ...] = field(init=False)
    turns: dict[str, asyncio.Semaphore] = field(init=False)

    def __post_init__(self) -> None:
        self.channels = (*usual(self.cluster), *self.more_channels)
        names = [channel.name for channel in self.channels]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two channels are called {min(twice)!r}: the status knows each by its name")
        self.turns = {name: asyncio.Semaphore(AT_ONCE) for name in names}

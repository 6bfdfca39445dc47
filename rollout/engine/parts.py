"""What a holder is built from: the real parts in an engine, others in a test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rollout.engine.clock import EngineClock
from rollout.engine.load import Load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.api.own_signals import ReadAs
    from rollout.api.spec import Spec
    from rollout.drivers import Driver
    from rollout.engine.mirror import World
    from rollout.signals.samples import SignalLook
    from rollout.sources import Source


@dataclass(slots=True)
class Parts:
    """Connections, the mirror of the cluster, and the makers of what each release has of its own.

    Attributes:
        cluster: where to write.
        world: what is read without a request.
        identity: of this process.
        driver: moves the traffic of a GrayRelease by its spec; a spec without traffic moves weights alone.
        sources: reads the signals of a spec, each revision as it is to be read.
        history: what stable did before, where somebody knows.
        clock: seconds since the epoch.
        load: how much this engine has to do.
    """

    cluster: Cluster
    world: World
    identity: str
    driver: Callable[[Manifest, Callable[[], Spec]], Driver]
    sources: Callable[[Spec, ReadAs], Sequence[Source]]
    history: Callable[[str, Spec, str], Awaitable[Sequence[SignalLook]] | None] | None = None
    clock: Callable[[], float] = field(default_factory=EngineClock)
    load: Load = field(default_factory=Load)

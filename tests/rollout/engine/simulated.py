"""Seeded worlds in virtual time: the real shell, an API server that misbehaves, pods, a gateway, callers and people.

    python -m tests.rollout.engine.simulated SEED     # replays one world and prints what happened in it

Each seed is a life of one service: versions good and bad, engines that are killed at any await and start again or
together, people who edit, scale and steer, sources that break, and requests that fail in every way there is. The laws
of :mod:`shell_laws` are checked on the world's own truth at every write, and once more when everything has calmed down.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import sys
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import looptime
import structlog

from kube.errors import KubeError
from rollout.api.persisted import read_status
from rollout.api.status import Phase, Status
from rollout.drivers.httproute.driver import GatewayDriver
from rollout.engine.parts import Parts
from rollout.engine.run import Controller
from rollout.signals.looks import SourceStatus
from tests.fakes.inprocess import InProcess
from tests.rollout.engine.plant import Callers, Plant
from tests.rollout.engine.shell_laws import Laws

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rollout.api.spec import Spec
    from rollout.engine.mirror import Mirror

EPOCH = 1_800_000_000.0
TROUBLED, CALM = 60.0, 150.0
"""Virtual seconds in which things go wrong, and in which everything has to come to rest."""

FATES: tuple[int | str, ...] = (409, 422, 429, 500, 502, 503, "hang", "refuse", "torn", "lost")
PATHS = (
    "httproutes",
    "grayreleases/checkout/status",
    "leases",
    "deployments",
    "configmaps",
    "events",
    "nodes",
    "disruption",
    "",
)
NODES = ("node-a", "node-b")
STEPS = [{"weight": 20, "hold": "5s"}, {"weight": 50, "hold": "5s"}]
SPEC: dict[str, Any] = {
    "strategy": {"steps": STEPS, "bake": "10s", "drain": "1s", "readyDeadline": "20s", "verifyDeadline": "15s"},
    "analysis": {
        "signals": [{"name": "errors", "kind": "errors", "source": "pods", "weight": 1.0}],
        "sampling": {"young": "500ms", "settled": "1s"},
        "sourceDown": {"action": "hold", "deadline": "40s"},
        "noData": {"action": "hold", "deadline": "40s"},
        "noTraffic": {"action": "hold", "deadline": "40s"},
    },
}


@dataclass
class Life:
    """One seed's world."""

    seed: int
    dice: random.Random = field(init=False)
    server: InProcess = field(default_factory=InProcess)
    plant: Plant = field(init=False)
    laws: Laws = field(init=False)
    trace: list[str] = field(default_factory=list)
    engines: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _chaos: list[tuple[float, str, int | str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - to be repeated
        self.plant = Plant(self.server, Callers(self.server, rate=100.0))
        self.plant.every = 0.25
        for node in NODES:
            self.plant.node(node)
        self.laws = Laws(self.server, self.plant.callers, self.note, self.now)
        self.server.chaos = self._fate

    # ------------------------------------------------------------------ time and trace

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def note(self, text: str) -> None:
        self.trace.append(f"{self.now():8.3f}  {text}")

    # ------------------------------------------------------------------ engines

    def start(self, identity: str) -> None:
        """Bring an engine up; each has a wall clock of its own, which may be off."""
        off = self.dice.choice([0.0, 0.0, 0.0, 30.0, -20.0, 3600.0])
        self.note(f"engine {identity} starts, its clock {off:+g} s off")
        self.engines[identity] = asyncio.create_task(self._engine(identity, lambda: EPOCH + off + self.now()))

    async def _engine(self, identity: str, clock: Callable[[], float]) -> None:
        async with self.server.cluster() as cluster:

            def parts(mirror: Mirror) -> Parts:
                def driver(manifest: dict[str, Any], spec_of: Callable[[], Spec]) -> GatewayDriver:
                    meta, routes = manifest["metadata"], mirror.routes("shop")
                    return GatewayDriver(
                        cluster, routes, name=meta["name"], namespace="shop", uid=meta["uid"], spec_of=spec_of
                    )

                sources = lambda _spec, _own: [self._callers_of(clock)]  # noqa: E731 - as short as it can be said
                return Parts(cluster, mirror, identity, driver, sources, clock=clock, more_channels=[self.laws])

            await Controller(cluster, ["shop"], parts=parts).run()

    def _callers_of(self, _clock: Callable[[], float]) -> Callers:
        mine = Callers(self.server, rate=100.0, faults=self.plant.callers.faults)
        self.plant.callers.readers.append(mine)
        mine.status = self.plant.callers.status
        return mine

    async def kill(self, identity: str) -> None:
        """End an engine at whatever await it is in, without a word to anybody."""
        task = self.engines.pop(identity, None)
        if task is None:
            return
        self.note(f"engine {identity} is killed")
        self.server.dead.add(identity)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
            await task

    # ------------------------------------------------------------------ what goes wrong

    def _fate(self, method: str, path: str) -> int | str | None:
        for until, part, fate, odds in self._chaos:
            if self.now() < until and part in path and "watch" not in path and self.dice.random() < odds:
                self.laws.failed(method, path, fate)
                return fate
        return None

    async def trouble(self) -> None:
        """One thing that happens."""
        happens: list[Callable[[], Awaitable[None]]] = [
            self._requests_fail,
            self._requests_fail,
            self._engine_dies,
            self._engine_dies,
            self._another_engine,
            self._sources_break,
            self._somebody_steers,
            self._somebody_declares,
            self._somebody_scales,
            self._somebody_edits_the_route,
            self._the_lease_goes,
            self._watches_are_silent,
            self._the_spec_is_spoilt,
            self._a_stranger_has_our_label,
            self._a_node_is_drained,
        ]
        await self.dice.choice(happens)()

    async def _requests_fail(self) -> None:
        part, fate = self.dice.choice(PATHS), self.dice.choice(FATES)
        seconds, odds = self.dice.uniform(1, 15), self.dice.choice([0.2, 0.6, 1.0])
        self.note(f"requests with {part!r} get {fate} at {odds} for {seconds:.1f} s")
        self._chaos.append((self.now() + seconds, part, fate, odds))

    async def _engine_dies(self) -> None:
        identity = self.dice.choice(sorted(self.engines) or ["none"])
        await self.kill(identity)
        await asyncio.sleep(self.dice.choice([0.0, 0.5, 3.0]))
        self.start(self.dice.choice([identity, f"{identity}x"]) if identity != "none" else "one")

    async def _another_engine(self) -> None:
        if len(self.engines) < 2:
            self.start(f"other-{len(self.trace)}")

    async def _sources_break(self) -> None:
        how = self.dice.choice([SourceStatus.SOURCE_DOWN, SourceStatus.NO_DATA])
        self.note(f"the sources say {how}")
        self.plant.callers.say(how)
        await asyncio.sleep(self.dice.uniform(1, 20))
        self.note("the sources are back")
        self.plant.callers.say(SourceStatus.OK)

    async def _somebody_steers(self) -> None:
        verb = self.dice.choice(["pause", "resume", "abort", "retry"])
        self.note(f"somebody says {verb}")
        self.plant.say(verb)
        if verb == "pause":
            await asyncio.sleep(self.dice.uniform(0, 5))
            self.plant.say("resume")

    async def _somebody_declares(self) -> None:
        image = self.dice.choice(["shop:v1", "shop:v2", "shop:v3-bad", "shop:v4"])
        self.note(f"somebody declares {image}")
        self.plant.declare(image, **deepcopy(SPEC))

    async def _somebody_scales(self) -> None:
        found = [each for each in self.server.all("Deployment") if "legacy" not in each["metadata"]["name"]]
        if found:
            chosen = deepcopy(self.dice.choice(sorted(found, key=lambda each: each["metadata"]["name"])))
            chosen["spec"]["replicas"] += 1
            self.note(f"somebody scales {chosen['metadata']['name']} to {chosen['spec']['replicas']}")
            self.laws.scaled(chosen["metadata"]["name"])
            self.server.put(chosen)

    async def _somebody_edits_the_route(self) -> None:
        route = deepcopy(self.server.find("HTTPRoute", "checkout"))
        if route is None:
            return
        for ref in route["spec"]["rules"][0]["backendRefs"]:
            ref["weight"] = self.dice.choice([0, 30, 100])
        self.note("somebody edits the weights")
        self.laws.edited_route()
        self.server.put(route)

    async def _the_lease_goes(self) -> None:
        self.note("somebody deletes the Lease")
        for key in [key for key in self.server.objects if key[1] == "leases"]:
            self.server.remove(key)

    async def _watches_are_silent(self) -> None:
        self.note("watches are silent")
        self.server.silent = True
        await asyncio.sleep(self.dice.uniform(1, 10))
        self.server.silent = False
        self.note("watches speak again")

    async def _the_spec_is_spoilt(self) -> None:
        found = deepcopy(self.plant.release())
        found["spec"]["strategy"] = {**found["spec"]["strategy"], "steps": []}
        self.note("somebody spoils the spec")
        self.server.put(found)
        await asyncio.sleep(self.dice.uniform(1, 10))
        mended = deepcopy(self.plant.release())
        mended["spec"]["strategy"]["steps"] = STEPS
        self.note("and mends it")
        self.server.put(mended)

    async def _a_stranger_has_our_label(self) -> None:
        labels = {"grayling.dev/release": "checkout"} | self.dice.choice([{}, {"grayling.dev/revision": ""}])
        self.note("a Deployment of somebody else gets our label")
        meta = {"name": "legacy", "namespace": "shop", "labels": labels, "annotations": {"grayling.dev/image": "x"}}
        self.server.put({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 0}})

    async def _a_node_is_drained(self) -> None:
        node = self.dice.choice(NODES)
        self.note(f"somebody drains {node}")
        try:
            await self.plant.drain(node, seconds=40.0)
            self.note(f"{node} is empty")
        except (TimeoutError, KubeError) as error:
            self.note(f"the drain of {node} is given up: {error!r}")
        self.plant.node(node)

    # ------------------------------------------------------------------ a life

    async def live(self) -> None:
        """First a version that serves, then trouble, then calm; the laws hold all the while."""
        self.plant.callers.faults["bad"] = 0.6
        operator = asyncio.create_task(self.plant.operate())
        keeper = asyncio.create_task(self.laws.watch())
        try:
            self.start("one")
            self.plant.declare("shop:v1", **deepcopy(SPEC))
            await self._until(
                lambda: self.status.phase is Phase.IDLE and self.status.stable is not None, 60.0, "served"
            )
            self.laws.begin()
            self.note("the first version serves")
            await self._somebody_declares()
            end = self.now() + TROUBLED
            while self.now() < end:
                await asyncio.sleep(self.dice.uniform(0.1, 8.0))
                await self.trouble()
            await self._calm_down()
        finally:
            for identity in list(self.engines):
                await self.kill(identity)
            for task in (operator, keeper):
                task.cancel()
            await asyncio.gather(operator, keeper, return_exceptions=True)

    async def _calm_down(self) -> None:
        self._chaos.clear()
        self.server.silent = False
        self.plant.callers.say(SourceStatus.OK)
        self.plant.say("resume")
        if not self.engines:
            self.start("last")
        self.note("everything is calm")
        resting, since = {Phase.IDLE, Phase.ROLLED_BACK}, self.now()

        def rests() -> bool:
            nonlocal since
            since = since if self.status.phase in resting else self.now()
            return self.now() - since >= 15.0

        await self._until(rests, CALM, "at rest")
        self.laws.at_rest(self.status)
        await self.plant.drain(NODES[0])

    @property
    def status(self) -> Status:
        return read_status(self.plant.release().get("status"))[0]

    async def _until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        end = self.now() + seconds
        while not condition():
            assert self.now() < end, f"never {what}: {self.status.phase}, {self.status.waiting}"
            await asyncio.sleep(0.25)
            self.laws.raise_if_broken()


def run(seed: int, *, quiet: bool = True) -> Life:
    """Live one seed's life.

    Raises:
        AssertionError: a law was broken; the message has the seed and the trace.
    """
    if quiet:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    life: list[Life] = []

    async def go() -> None:
        life.append(Life(seed))
        await life[0].live()

    loop = looptime.new_event_loop()
    random.seed(seed)
    try:
        loop.run_until_complete(go())
    except BaseException as error:
        trace = "\n".join(life[0].trace) if life else ""
        raise AssertionError(f"seed {seed}: {error}\n{trace}") from error
    finally:
        with contextlib.suppress(Exception):
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        structlog.reset_defaults()
    return life[0]


if __name__ == "__main__":
    for line in run(int(sys.argv[1]), quiet="-v" not in sys.argv).trace:
        print(line)  # noqa: T201 - a command

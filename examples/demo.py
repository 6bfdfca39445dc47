"""``make demo``: a real cluster, real middleware, a good version brought in, a bad one taken back, all under load.

It does what a person would do, with the same commands, and leaves everything running. It works in a copy of the project
below ``out/``, because a release changes the stack file.
"""

from __future__ import annotations

import argparse
import asyncio
import filecmp
import shutil
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trial.commands import CommandFailedError, Grayling, end_on_sigterm
from trial.letting_in import let_in
from trial.moments import moments_of
from trial.place import Place, PlaceError
from trial.traffic import Traffic, TrafficError, shares

from kube.errors import GraylingError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kube.kinds import Manifest

ROOT = Path(__file__).resolve().parent.parent
SERVICE = "checkout"
STACK = "local"
IMAGE = "sandbox.grayling.dev/shop"
BAD = "v3"
RATE = 100.0
FIRST_RELEASE_SECONDS = 300.0
TOLD_EVERY_SECONDS = 5.0
LOOK_BACK_SECONDS = 3.0
ROLLED_BACK = 7


class Story:
    """What is printed, each line with the time since the beginning."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._chapter = 0

    def chapter(self, title: str) -> None:
        """A new part begins."""
        self._chapter += 1
        self._print(f"\n{self._elapsed()} {self._chapter}. {title}")

    def line(self, text: str) -> None:
        """One thing happened."""
        if text.strip():
            self._print(f"{self._elapsed()}    {text}")

    def page(self, text: str) -> None:
        """Something to read, as it is."""
        self._print(f"\n{text.rstrip()}")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"[{minutes:2d}:{seconds:02d}]"

    @staticmethod
    def _print(text: str) -> None:
        print(text, flush=True)  # noqa: T201 - that is its job


@dataclass(slots=True)
class Demo:
    """One showing."""

    name: str
    story: Story = field(default_factory=Story)

    @property
    def grayling(self) -> Grayling:
        """The command line, in the copy of the project once there is one."""
        return Grayling(self.name, self.project if self.project.exists() else None)

    @property
    def folder(self) -> Path:
        """Where this demo keeps its files."""
        return ROOT / "out" / "demo" / self.name

    @property
    def project(self) -> Path:
        """The copy of the Pulumi project whose stack file releases change."""
        return self.folder / "project"

    async def run(self) -> None:
        """Everything, in order."""
        end_on_sigterm()
        self.story.chapter("A Kubernetes of its own on this machine")
        await self._show("sandbox", "up", "--name", self.name)
        place = await self._found()
        if place is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            await self._apply()
            place = await Place.find(self.name, SERVICE)
            await self._serving(place)
            async with place, self._traffic(place) as traffic:
                await self._releases(place, traffic)
        else:  # a second showing: with traffic on, whatever applying starts can be judged
            async with place, self._traffic(place) as traffic:
                await self._apply()
                await self._serving(place)
                await self._releases(place, traffic)

    async def _found(self) -> Place | None:
        try:
            return await Place.find(self.name, SERVICE)
        except PlaceError:
            return None

    async def _apply(self) -> None:
        self.story.chapter(f"The environment that stacks/Pulumi.{STACK}.yaml declares, applied to it")
        self._copy_project()
        await self._show("stack", "apply", STACK, "--yes")

    def _copy_project(self) -> None:
        """Copy the project, unless this demo has a copy of just this stack file and goes on with what it says."""
        original, kept = ROOT / "stacks" / f"Pulumi.{STACK}.yaml", self.folder / "copied.yaml"
        if kept.exists() and filecmp.cmp(kept, original, shallow=False):
            return
        shutil.rmtree(self.project, ignore_errors=True)
        shutil.copytree(ROOT / "stacks", self.project / "stacks")
        for name in ("Pulumi.yaml", "__main__.py"):
            shutil.copy(ROOT / name, self.project)
        shutil.copy(original, kept)

    async def _serving(self, place: Place) -> None:
        """Wait until a version serves and nothing is under way."""

        def calm(status: Manifest) -> bool:
            return bool(status.get("stable")) and status.get("phase") in {"Idle", "RolledBack"}

        self.story.line(f"waiting until {SERVICE} serves")
        status = await place.until("serving", calm, FIRST_RELEASE_SECONDS)
        self.story.line(f"{SERVICE} serves: {status['stable']['image']}")

    @asynccontextmanager
    async def _traffic(self, place: Place) -> AsyncIterator[Traffic]:
        """Load on, and a line every few seconds that says who answers."""
        out = self.folder / "answers.jsonl"
        self.story.line(f"load on: {RATE:g} requests a second to {place.host} at {place.url}, every tenth an order")
        async with Traffic(place.url, place.host, out, inside=place.inside, rate=RATE, orders_every=10) as traffic:
            telling = asyncio.create_task(self._tell(traffic))
            try:
                yield traffic
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)

    async def _tell(self, traffic: Traffic) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY_SECONDS)
            if fresh := traffic.poll():
                self.story.line(f"· {len(fresh) / TOLD_EVERY_SECONDS:.0f} answers a second: {shares(fresh)}")

    async def _releases(self, place: Place, traffic: Traffic) -> None:
        good = "v1" if await _served(place) == "v2" else "v2"
        self.story.chapter(f"{good}, a good version: a share of the traffic, then more, then all")
        await self._release(place, good, expect=0)
        fine = await self._record(place)
        self.story.chapter(f"{BAD}, a bad version: half of its answers are errors")
        began = time.time()
        await self._release(place, BAD, expect=ROLLED_BACK)
        await asyncio.sleep(LOOK_BACK_SECONDS)
        traffic.poll()
        taken_back = await self._record(place)
        self.story.chapter("What each release left behind")
        self.story.page(fine)
        self.story.page(taken_back)
        self.story.chapter("In numbers, as the callers saw it")
        for line in numbers(traffic, began):
            self.story.line(line)
        self.story.page(self._next(place))

    async def _release(self, place: Place, version: str, *, expect: int) -> None:
        who = (SERVICE, "-n", place.namespace)
        if await let_in(place, self.grayling, f"{IMAGE}:{version}"):
            self.story.line("it was taken back before; a person says: try again (`release forgive`)")
        await self._show("release", "start", *who, "--image", f"{IMAGE}:{version}", "--stack", STACK)
        await self._show("release", "watch", *who, "--timeout", "5m", expect=expect)

    async def _record(self, place: Place) -> str:
        return (await self.grayling.run("release", "record", SERVICE, "-n", place.namespace, "-o", "markdown")).out

    async def _show(self, *args: str, expect: int = 0) -> None:
        self.story.line(f"$ grayling {' '.join(_short(arg) for arg in args)}")
        done = await self.grayling.run(*args, expect=(expect,), show=self.story.line)
        if done.code:
            self.story.line(f"(exit code {done.code}, as it should)")

    def _next(self, place: Place) -> str:
        return f"""The environment stays up. What to try next:

  export KUBECONFIG={place.box.kubeconfig}
  {_program()} release status {SERVICE} -n {place.namespace}
  {_program()} release history {SERVICE} -n {place.namespace}

With traffic on (in another terminal):

  {" ".join(_short(part) for part in self._load_command(place))}

  cd {_short(str(self.project))}
  {_program()} release start {SERVICE} -n {place.namespace} --image {IMAGE}:v4 --stack {STACK} --wait
  (v4 is 300 ms slower, v5 crashes after a minute)

Remove it all:  make demo-down{"" if self.name == "demo" else f" NAME={self.name}"}
"""

    @staticmethod
    def _load_command(place: Place) -> list[str]:
        load = ["env", f"PYTHONPATH={ROOT / 'examples'}", sys.executable, "-m", "load"]
        return place.inside([*load, "--url", place.url, "--host", place.host, "--seconds", "600"])


async def _served(place: Place) -> str:
    """The tag of the version that serves."""
    stable = (await place.release())["status"].get("stable") or {}
    return str(stable.get("image", "")).rpartition(":")[2]


def _program() -> str:
    return str(Path(sys.executable).parent / "grayling")


def _short(text: str) -> str:
    """A path below the checkout, as seen from there."""
    return text.replace(f"{ROOT}/", "")


def numbers(traffic: Traffic, bad_began: float) -> list[str]:
    """The bad version's reaction time and what it cost, from nothing but the answers."""
    during = traffic.since(bad_began)
    seen = moments_of(during, BAD)
    lines = str(traffic.summary()).splitlines()
    if seen.reaction is None:
        return [*lines, f"{BAD} gave no bad answer"]
    lines += [
        f"{BAD} gave {seen.canary} answers, {seen.bad} of them bad, of {len(during)} requests since it was asked for",
        f"reaction: {seen.reaction:.2f} s from its first bad answer to its last answer",
    ]
    before = sum(answer.bad for answer in traffic.answers) - sum(answer.bad for answer in during)
    return [*lines, f"failed requests while the good version was brought in: {before}"]


def main() -> int:
    """The whole program; Ctrl-C stops the showing, not the environment."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--name", default="demo", help="the sandbox to use (default demo)")
    demo = Demo(parser.parse_args().name)
    try:
        asyncio.run(demo.run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        demo.story.page(
            f"Stopped. What was started runs on; a release under way ends by itself or with "
            f"`grayling release abort {SERVICE}`.\nRemove everything: grayling sandbox down --purge --name {demo.name}"
        )
        return 130
    except (CommandFailedError, PlaceError, TrafficError, GraylingError) as error:
        demo.story.page(f"The demo stopped: {error}")
        demo.story.page(f"Look at it: grayling sandbox status --name {demo.name}; logs: grayling sandbox logs --help")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

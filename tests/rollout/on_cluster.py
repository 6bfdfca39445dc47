"""What the tests that need a cluster do, and what they wait for: as a person at a terminal would."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trial.place import Place
from trial.traffic import Traffic

from kube.cluster import Cluster
from kube.errors import KubeError, ThrottledError
from kube.kinds import GRAY_RELEASE, HTTP_ROUTE, POD, Kind, Manifest
from rollout.api.revision import RELEASE_LABEL, REVISION_LABEL
from tests.rollout.crooked import NAMESPACE, release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sandbox.box import Sandbox

ROOT = Path(__file__).resolve().parents[2]
ENGINE = "rollout controller"
MANAGER = "test"
NODE = Kind("v1", "Node", "nodes", namespaced=False)
EVICTION = "policy/v1"
SLOW_START = 90.0


def grayling(box: Sandbox, *args: str, expect: int = 0, seconds: float = 120) -> str:
    """Run the command line as a person does."""
    environment = {**os.environ, "KUBECONFIG": str(box.kubeconfig), "NO_COLOR": "1"}
    argv = [sys.executable, "-m", "grayling", *args]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == expect, f"{args}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def signal_in(box: Sandbox, name: str, pattern: str) -> None:
    """Send a signal to processes of the box."""
    subprocess.run(box.enter_argv(["pkill", f"-{name}", "-f", pattern]), check=True, timeout=30)


def phase(*names: str) -> Callable[[Manifest], bool]:
    """The release is in one of these phases."""
    return lambda status: status.get("phase") in names


def verified(weight: int) -> Callable[[Manifest], bool]:
    """A weight was seen in the requests."""
    return lambda status: bool(status.get("verifiedAt")) and status["weight"]["desired"] == weight


def over(status: Manifest) -> bool:
    """The release of the newest version has ended."""
    last = (status.get("last") or {}).get("toVersion", {}).get("revision")
    return status.get("phase") in {"Idle", "RolledBack"} and last == status.get("desiredRevision")


def waits_for(*words: str) -> Callable[[Manifest], bool]:
    """The status says why it waits, with all these words."""
    return lambda status: all(word in said(status) for word in words)


def said(status: Manifest) -> str:
    """Why it waits."""
    return str((status.get("waiting") or {}).get("reason", ""))


def condition(status: Manifest, name: str) -> str:
    """The message of a condition."""
    return next((str(each["message"]) for each in status.get("conditions", ()) if each["type"] == name), "")


def outcome(status: Manifest) -> str:
    """How the last release ended."""
    return str(status["last"]["outcome"])


def reason(status: Manifest) -> str:
    """Why the last release ended so."""
    return str(status["last"]["outcomeReason"])


@dataclass(frozen=True, slots=True)
class Crooked:
    """One release of the crooked service, and what is done to it."""

    place: Place

    async def bring(self, env: dict[str, str], change: Callable[[Manifest], Any] = lambda _: None) -> None:
        """Write a version that was not there before."""
        wanted = release(self.place.name, {"VERSION": secrets.token_hex(4), **env}, change)
        await self.place.cluster.apply(wanted, manager=MANAGER, force=True)

    async def accepted(self, change: Callable[[Manifest], Any]) -> bool:
        """Whether the API server takes this version; it is written then."""
        try:
            await self.bring({}, change)
        except KubeError:
            return False
        return True

    async def until(self, what: str, holds: Callable[[Manifest], bool], seconds: float = 60.0) -> Manifest:
        """Wait for a status of the newest spec."""
        return await self.place.until(what, holds, seconds)

    async def ended(self, seconds: float = 90.0) -> Manifest:
        """Wait for the end of the release."""
        return await self.until("over", over, seconds)

    async def promoted(self, seconds: float = 90.0) -> Manifest:
        """Wait for the end, which has to be a good one."""
        status = await self.ended(seconds)
        assert outcome(status) in {"promoted", "promoted-not-proven"}, reason(status)
        return status

    async def taken_back(self, seconds: float = 90.0) -> Manifest:
        """Wait for the end, which has to be a bad one."""
        status = await self.ended(seconds)
        assert outcome(status) == "rolled-back", reason(status)
        return status

    async def tell(self, revision: str, wish: dict[str, str]) -> None:
        """Change how the pods of a revision are."""
        for pod in await self.place.pods(revision):
            path = f"{POD.path(NAMESPACE)}/{pod}:9000/proxy/change"
            await self.place.cluster.request("POST", path, body=wish, what=f"change {pod}")

    async def evict(self, revision: str) -> None:
        """Evict each pod of a revision as a drain does: what the disruption budget refuses is asked for again."""
        for pod in await self.place.pods(revision):
            await eventually(lambda pod=pod: self._evicted(pod), 60)  # type: ignore[misc] # of this turn of the loop

    async def _evicted(self, pod: str) -> bool:
        meta = {"name": pod, "namespace": NAMESPACE}
        body = {"apiVersion": EVICTION, "kind": "Eviction", "metadata": meta}
        try:
            path = POD.path(NAMESPACE, pod, "eviction")
            await self.place.cluster.request("POST", path, body=body, what=f"evict {pod}")
        except ThrottledError:
            return False
        return True

    async def without_share(self, revision: str) -> bool:
        """Whether the route sends nothing to a revision."""
        route = await self.place.cluster.get(HTTP_ROUTE, self.place.name, NAMESPACE)
        weights = {each["name"]: each["weight"] for each in route["spec"]["rules"][0]["backendRefs"]}
        return weights.get(revision, 0) == 0

    async def ready_pods(self, revision: str) -> int:
        """Pods of a revision that are ready."""
        labels = f"{RELEASE_LABEL}={self.place.name},{REVISION_LABEL}={revision}"
        found = (await self.place.cluster.list(POD, NAMESPACE, labels=labels)).items
        conditions = [each for pod in found for each in pod.get("status", {}).get("conditions", ())]
        return sum(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@asynccontextmanager
async def serving(
    box: Sandbox, name: str, env: dict[str, str] | None = None, change: Callable[[Manifest], Any] = lambda _: None
) -> AsyncIterator[Crooked]:
    """A release whose first version serves; it is deleted afterwards."""
    await _first(box, name, {"VERSION": "v1", **(env or {})}, change)
    async with _found(box, name) as it:
        try:
            yield it
        finally:
            await it.place.cluster.delete(GRAY_RELEASE, name, NAMESPACE)


STEADY = "steady"


@asynccontextmanager
async def steady(box: Sandbox) -> AsyncIterator[Crooked]:
    """The release that tests share whose first version is as usual: whatever was tried before, one version serves."""
    async with await Cluster.open(kubeconfig=str(box.kubeconfig)) as cluster:
        there = await cluster.find(GRAY_RELEASE, STEADY, NAMESPACE)
    if there is None:
        await _first(box, STEADY, {"VERSION": "v1"})
    async with _found(box, STEADY) as it:
        yield it


async def _first(
    box: Sandbox, name: str, env: dict[str, str], change: Callable[[Manifest], Any] = lambda _: None
) -> None:
    async with await Cluster.open(kubeconfig=str(box.kubeconfig)) as cluster:
        await cluster.apply(release(name, env, change), manager=MANAGER, force=True)


@asynccontextmanager
async def _found(box: Sandbox, name: str) -> AsyncIterator[Crooked]:
    async with await Place.find(box.name, name) as place:
        await place.until("serving", lambda status: "stable" in status, SLOW_START)
        yield Crooked(place)


@asynccontextmanager
async def traffic(place: Place, folder: Path, rate: float = 60.0) -> AsyncIterator[Traffic]:
    """Steady requests while the block runs."""
    out = folder / f"{place.name}.jsonl"
    async with Traffic(place.url, place.host, out, inside=place.inside, rate=rate, seconds=300) as flow:
        yield flow


async def status_of_one(place: Place) -> int:
    """The HTTP status of one request from inside the box."""
    asked = (
        "import http.client as h; from urllib.parse import urlsplit as u; "
        f"c = h.HTTPConnection(u({place.url!r}).netloc); c.request('GET', '/', headers={{'Host': {place.host!r}}}); "
        "print(c.getresponse().status)"
    )
    argv = place.inside([sys.executable, "-c", asked])
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    answer, _ = await process.communicate()
    return int(answer)


async def eventually(holds: Callable[[], Any], seconds: float) -> None:
    """Wait until an awaited condition is true."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.2)

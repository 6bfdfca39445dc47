"""What a release took back on evidence is brought in again in ten ways: each is refused, or held before it has pods.

A version of the shop's checkout is found bad under real traffic by the engine in the cluster. A corrected configuration
of the same image comes in, and so does the same one once a person said so.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from trial.commands import Grayling
from trial.letting_in import let_in
from trial.place import Place

from components.deploy.preflight import looked_at
from components.deploy.taken_back import refusals
from components.stack.json_text import value_of
from components.stack.platform import Platform
from components.stack.sections import sections_of
from components.stack.stackfile import find
from kube.kinds import CONFIG_MAP, DEPLOYMENT, GRAY_RELEASE, NAMESPACE
from rollout.api.taken_back import LABEL, Memory, memory_in
from tests.rollout.on_cluster import ROOT, over, said, traffic
from tests.rollout.test_releases_on_cluster import IMAGE, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from kube.kinds import Manifest
    from rollout.api.taken_back import TakenBack
    from sandbox.box import Sandbox

pytestmark = pytest.mark.timeout(400)
BAD = f"{IMAGE}v3"
REFUSED = 6
HELD_SECONDS = 30.0
LABELLED: Manifest = {"workload": {"replicas": 2, "template": {"metadata": {"labels": {"team": "b"}}}}}
AS_IT_WAS: Manifest = {"workload": {"replicas": 3, "template": {"metadata": {"labels": {"team": None}}}}}


class Way:
    """A person with a stack file of their own, at the cluster where v3 was taken back."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.folder = place, folder
        self.file = folder / "stacks/Pulumi.local.yaml"

    def run(self, *args: str) -> tuple[int, str]:
        """One command, in the project's folder: its exit code, and what it said."""
        environment = {**os.environ, "KUBECONFIG": str(self.place.box.kubeconfig), "NO_COLOR": "1"}
        environment["PYTHONPATH"] = str(ROOT)
        argv = [sys.executable, "-m", "grayling", *args]
        done = subprocess.run(argv, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    @property
    def where(self) -> tuple[str, str]:
        """Which namespace, as an option."""
        return "-n", self.place.namespace

    def platform(self) -> Platform:
        """What the Pulumi program reads."""
        file = find(str(self.file))
        sections = {key: value_of(value) for key, value in sections_of(file.config()[0]).items()}
        return Platform.read(sections, stack="local", source=file.source)

    def says(self, image: str) -> None:
        """Let the stack file name a version."""
        text = (ROOT / "stacks/Pulumi.local.yaml").read_text()
        first = "image: {}\n      args: [checkout]"
        self.file.write_text(text.replace(first.format(f"{IMAGE}v1"), first.format(image)))


@pytest.fixture
async def way(shop: Sandbox, tmp_path: Path) -> AsyncIterator[Way]:
    async with await Place.find(shop.name, "checkout") as place:
        for name in ("Pulumi.yaml", "__main__.py"):
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        (tmp_path / "stacks").mkdir()
        await settle(place)
        await let_in(place, Grayling(shop.name), BAD)
        yield Way(place, tmp_path)
        await place.change(AS_IT_WAS)
        for name in ("checkout-copy", "again"):
            await place.cluster.delete(GRAY_RELEASE, name, place.namespace)
        await place.cluster.delete(NAMESPACE, "staging-copy")


def bare(found: Manifest, name: str, change: Callable[[Manifest], Any] = lambda _: None) -> Manifest:
    """A GrayRelease as a person would write it to a file."""
    spec = deepcopy(found["spec"])
    change(spec)
    meta = {"name": name, "namespace": found["metadata"]["namespace"]}
    return {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": meta, "spec": spec}


async def held(place: Place, name: str) -> Manifest:
    """Wait until the engine says that it keeps a release out, and answer its status."""
    async with asyncio.timeout(HELD_SECONDS):
        while True:
            found = await place.cluster.get(GRAY_RELEASE, name, place.namespace)
            status: Manifest = found.get("status") or {}
            fresh = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
            if fresh and (status.get("waiting") or {}).get("gate") == "taken-back":
                return status
            await asyncio.sleep(0.2)


async def found_bad(way: Way) -> TakenBack:
    """Have the engine take v3 back, and remember it."""
    place = way.place
    await place.start(BAD)
    status = await place.until("over", over, 120)
    assert (status["last"]["outcome"], status["last"]["evidence"].split(",")[0]) == ("rolled-back", "errors")
    kept = memory_in((await place.cluster.list(CONFIG_MAP, place.namespace, labels=LABEL)).items)
    entry = next(each for each in kept.entries if each.release == status["last"]["id"])
    assert entry.pair is not None
    assert entry.pair.containers[0].digest, "the pods said which image they ran"
    return entry


async def by_hand(way: Way) -> None:
    """Written by somebody who asks nobody: the engine holds it before it has a pod."""
    place, found = way.place, await way.place.release()
    await place.change(LABELLED)
    assert "was taken back" in said(await held(place, "checkout"))
    await place.cluster.apply(bare(found, "checkout-copy"), manager="test", force=True)
    assert "stable" not in await held(place, "checkout-copy")
    assert not await place.cluster.find(DEPLOYMENT, "checkout-copy", place.namespace)
    code, told = await asyncio.to_thread(way.run, "release", "retry", "checkout", *way.where)
    assert (code, "release forgive checkout" in told) == (1, True)


async def asked_for(way: Way) -> None:
    """Asked for by its image, at the object and by the stack."""
    start = ("release", "start", "checkout", *way.where, "--image", BAD)
    code, told = await asyncio.to_thread(way.run, *start, "--patch-object")
    assert (code, "was taken back" in told) == (REFUSED, True), told
    way.says(f"{IMAGE}v1")
    before = way.file.read_bytes()
    code, told = await asyncio.to_thread(way.run, *start, "--stack", "local")
    assert (code, "was taken back" in told, way.file.read_bytes() == before) == (REFUSED, True, True), told


async def declared(way: Way) -> None:
    """By the whole stack: compared, applied, with Pulumi, and as another environment of the cluster."""
    way.says(BAD)
    code, told = await asyncio.to_thread(way.run, "stack", "diff", "local")
    assert (code, "refused GrayRelease shop/checkout: " in told) == (1, True), told
    code, told = await asyncio.to_thread(way.run, "stack", "apply", "local", "--yes")
    assert (code, "refused, and nothing was changed" in told, "was taken back" in told) == (REFUSED, True, True), told
    _, reasons = await looked_at(way.place.cluster, way.platform(), way.platform().manifests())
    assert any("was taken back" in each for each in reasons)
    text = way.file.read_text().replace("namespace: shop", "namespace: staging-copy")
    (way.file.parent / "Pulumi.staging.yaml").write_text(text)
    code, told = await asyncio.to_thread(way.run, "stack", "apply", "staging", "--yes")
    assert (code, "GrayRelease staging-copy/checkout: " in told) == (REFUSED, True), told
    assert "was taken back" in told


async def by_a_record(way: Way, entry: TakenBack) -> None:
    """Where no cluster is asked, the record that CI keeps speaks."""
    asked = ("release", "record", "checkout", entry.release, *way.where, "-o", f"json={way.folder / 'record.json'}")
    assert (await asyncio.to_thread(way.run, *asked))[0] == 0
    found = refusals(Memory(), [way.folder / "record.json"], way.platform().manifests())
    assert any("was taken back" in each for each in found)


async def corrected(way: Way) -> None:
    """The same image with another configuration comes in."""
    place = way.place

    def change(spec: Manifest) -> None:
        main = spec["workload"]["template"]["spec"]["containers"][0]
        main["env"] = [*main.get("env", []), {"name": "CORRECTED", "value": "1"}]
        spec["analysis"] = {}
        spec.pop("traffic")
        spec.pop("sources", None)

    await place.cluster.apply(bare(await place.release(), "again", change), manager="test", force=True)
    async with asyncio.timeout(60):
        while "stable" not in ((await place.cluster.get(GRAY_RELEASE, "again", place.namespace)).get("status") or {}):
            await asyncio.sleep(0.3)


async def test_bad_comes_in_no_way_but_by_a_persons_word(way: Way, tmp_path: Path) -> None:
    place = way.place
    async with traffic(place, tmp_path):
        entry = await found_bad(way)
        await by_hand(way)
        await corrected(way)
        stable = (await place.release())["status"]["stable"]["image"]
        await place.change(AS_IT_WAS)
        await place.start(stable)
        await place.until("stable", lambda now: now.get("phase") == "Idle", 60)
        await asked_for(way)
        await declared(way)
        await by_a_record(way, entry)
        word = ("--release", entry.release, "--by", "ann", "--reason", "it is the test that wants it")
        code, told = await asyncio.to_thread(way.run, "release", "forgive", "checkout", *way.where, *word)
        assert code == 0, told
        await place.start(BAD)
        status = await place.until("begun", lambda now: bool(now.get("release")), 30)
        journal = {each["what"]: each["text"] for each in status["release"]["journal"]}
        assert journal["forgiven"].endswith("forgiven by ann: it is the test that wants it")

"""The box itself: what it leaves behind, how it survives, and that two never meet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from sandbox.api import Api
from sandbox.box import Sandbox
from sandbox.daemons import ZONE
from sandbox.errors import UnreachableError
from sandbox.progress import Silent
from sandbox.record import load
from tests.sandbox.machine import Traces, none_compares_traces, processes

if TYPE_CHECKING:
    from collections.abc import Iterator


PREFIX = os.environ.get("GRAYLING_TEST_BOX", "test")


@pytest.fixture
def first() -> Iterator[Sandbox]:
    yield from taken_down(Sandbox(f"{PREFIX}-first"))


@pytest.fixture
def second() -> Iterator[Sandbox]:
    yield from taken_down(Sandbox(f"{PREFIX}-second"))


def taken_down(made: Sandbox) -> Iterator[Sandbox]:
    made.down(purge=True)
    yield made
    made.down(purge=True)


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with none_compares_traces():
        yield


def api_of(box: Sandbox) -> Api:
    return Api(box.address, 6443, box.state.pki, timeout_s=5)


def wait_for(condition, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {timeout_s} s"
        time.sleep(0.2)


def test_up_and_down_leave_the_machine_as_it_was(first: Sandbox) -> None:
    first.up(Silent())
    interface, pid = load(first.state).link.interface, first.pid
    first.down(purge=True)
    after_once = Traces.of(first.name, interface)
    first.up(Silent())
    assert first.status().state == "running"
    first.down(purge=True)
    assert Traces.of(first.name, interface) == after_once
    assert (after_once.links, after_once.routes, after_once.groups, after_once.processes) == ((), (), (), ())
    assert not [line for line in after_once.mounts if first.name in line]
    assert not first.state.root.exists()
    assert pid > 0


def test_up_again_changes_nothing_and_down_keeps_the_data(first: Sandbox) -> None:
    first.up(Silent())
    pid = first.pid
    first.up(Silent())
    assert first.pid == pid
    path = "/api/v1/namespaces/default/configmaps/kept"
    metadata = {"name": "kept", "namespace": "default"}
    api_of(first).apply(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    interface = load(first.state).link.interface
    first.down()
    assert first.status().state == "stopped"
    left = Traces.of(first.name, interface)
    assert (left.links, left.groups, left.processes) == ((), (), ())
    first.up(Silent())
    assert api_of(first).get(path)["metadata"]["name"] == "kept"


def test_a_killed_box_vanishes_whole_and_comes_up_again(first: Sandbox) -> None:
    first.up(Silent())
    address, part = first.address, f"/sandbox/{first.name}/"
    os.kill(first.pid, signal.SIGKILL)
    wait_for(lambda: not processes(part), 10)
    assert first.status().state == "stopped"
    first.up(Silent())
    assert first.status().state == "running"
    assert first.address == address


def test_a_killed_up_is_finished_by_the_next_one(first: Sandbox) -> None:
    for delay_s in (0.8, 1.6, 3.0):
        command = [sys.executable, "-m", "sandbox", "up", "--name", first.name]
        started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay_s)
        started.kill()
        started.wait()
    first.up(Silent())
    assert first.status().state == "running"
    assert len([line for line in processes(f"/sandbox/{first.name}/") if "unshare" in line]) <= 2


def test_a_dead_daemon_is_started_again(first: Sandbox) -> None:
    first.up(Silent())

    def scheduler() -> dict[str, object]:
        return next(one for one in first.status().daemons if one["name"] == "kube-scheduler")

    subprocess.run(first.enter_argv(["kill", "-9", str(scheduler()["pid"])]), check=True)
    wait_for(lambda: scheduler()["restarts"] == 1 and scheduler()["state"] == "running", 15)


def test_two_boxes_live_side_by_side(first: Sandbox, second: Sandbox) -> None:
    first.up(Silent())
    second.up(Silent())
    assert first.address != second.address
    name = f"grayling-{first.name}"
    nodes = [node["metadata"] for node in api_of(first).get("/api/v1/nodes")["items"]]
    assert [(node["name"], node["labels"].get(ZONE)) for node in nodes] == [(name, name)]
    stranger = Api(second.address, 6443, first.state.pki, timeout_s=5)
    with pytest.raises(UnreachableError):
        stranger.get("/api/v1/nodes")
    first.down(purge=True)
    assert second.status().state == "running"


def test_only_images_that_changed_are_imported_again(first: Sandbox) -> None:
    first.up(Silent())
    first.refresh_images(Silent())
    begun = time.monotonic()
    assert first.refresh_images(Silent()) == []
    assert time.monotonic() - begun < 5
    assert "sandbox.grayling.dev/grayling:dev" in first.images()

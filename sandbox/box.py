"""One sandbox cluster: bring it up, look at it, step inside, take it down.

This is the room's public face. Every step looks at what is already there and
does the rest, so `up` after a kill, a reboot or a half-finished `up` is the same
as `up`.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

from sandbox import cgroups, locks, network, preflight, record, shell
from sandbox.address import API_PORT, API_SERVICE_ADDRESS, Link, choose
from sandbox.api import Api
from sandbox.bootstrap import Bootstrap
from sandbox.errors import RefusedError
from sandbox.layout import Cache, State, state_root
from sandbox.progress import Lines, Silent
from sandbox.status import Status

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sandbox.progress import Progress
    from sandbox.record import Record
    from sandbox.workshop import Stock

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")
DAEMON_USERS = ("controller-manager", "scheduler", "kube-proxy", "kubelet")
STOP_PATIENCE_S = 30.0
QUICK_S = 2.0
HOPELESS_RESTARTS = 6


class Sandbox:
    """The box called ``name``; making the object touches nothing."""

    def __init__(self, name: str = "default", *, may_install: bool = True) -> None:
        if not NAME.fullmatch(name):
            raise RefusedError(f"{name!r} is no name for a sandbox: use at most 30 of a-z, 0-9 and -, no - at the ends")
        self.name = name
        self.state = State.of(name)
        self.cache = Cache.default()
        self.may_install = may_install
        self._outer: subprocess.Popen[bytes] | None = None

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig to use from the host; there once the box has been up."""
        return self.state.kubeconfig

    @property
    def context(self) -> str:
        """The name of the kubeconfig's only context."""
        return f"grayling-{self.name}"

    @property
    def address(self) -> str:
        """The node's address as seen from the host: API server and node ports answer there."""
        return self._record().link.node

    @property
    def pid(self) -> int:
        """The box's first process as the host sees it."""
        return self._running().pid

    @property
    def _up_command(self) -> str:
        return f"`grayling sandbox up --name {self.name}`"

    def enter_argv(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs ``argv`` inside the box: its network, files and processes."""
        return shell.enter(self.pid, argv)

    def enter_net_argv(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs ``argv`` with the box's network but the host's files."""
        return shell.enter_network(self.pid, argv)

    def up(self, progress: Progress | None = None, extras: Sequence[str] = ()) -> None:
        """Bring the cluster up to a Ready node with working names and ``extras``; nothing happens when it is.

        Raises:
            SandboxError: what stands in the way and what to do about it.
        """
        from sandbox.extras import named

        named(extras)
        told = progress or Lines()
        if self._is_up():
            told.say(f"sandbox {self.name} is up already")
        else:
            self._start(told)
        if extras:
            self.add(extras, told)

    def add(self, extras: Sequence[str], progress: Progress) -> list[str]:
        """Bring the images and definitions of ``extras`` into the running box; return the names of changed images.

        Raises:
            RefusedError: there is no such extra, or no such box.
        """
        from sandbox import crds, images
        from sandbox.extras import named
        from sandbox.workshop import Workshop

        wanted, box = named(extras), self._running()
        with self._locked(progress):
            made, files = Workshop(self.cache, progress, self.may_install).prepare_extras(wanted)
            changed = images.load_changed(images.importer_through(self.enter_argv(())), made, progress)
            self._bootstrap(box).apply(crds.read(files))
        return changed

    def _start(self, progress: Progress) -> None:
        if self.status().state in {"absent", "stopped"}:
            preflight.check(preflight.Machine.look(self.state.root))
        with self._locked(progress):
            stock = self._prepare(progress)
            box = self._ensure_box(stock)
            network.connect(box.link, box.pid)
            self._load_images(stock, progress)
            self._bring_up(box, stock, progress)

    def down(self, *, purge: bool = False) -> None:
        """End every process of the box and remove what it left; with ``purge`` its data too."""
        if not self.state.root.exists():
            return
        with self._locked():
            box = record.load(self.state)
            if box is not None:
                self._end(box, at_once=purge)
            if purge:
                shutil.rmtree(self.state.root, ignore_errors=True)

    def status(self) -> Status:
        """Return what is known of the box; never waits longer than two seconds."""
        box = record.load(self.state)
        if box is None:
            return Status(self.name, "absent")
        facts = (box.link.node, str(self.kubeconfig), self.context)
        if not box.alive():
            return Status(self.name, "stopped", *facts)
        state = "running" if self._bootstrap(box, QUICK_S).is_up() else "starting"
        return Status(self.name, state, *facts, box.pid, self._daemons())

    def refresh_images(self, progress: Progress) -> list[str]:
        """Import the images that differ from this checkout into the running box; return their names."""
        return self._load_images(self._prepare(progress), progress)

    def images(self) -> dict[str, str]:
        """Return the images of the running box: full name to digest."""
        from sandbox import images

        return images.importer_through(self.enter_argv(())).images()

    def _is_up(self) -> bool:
        box = record.load(self.state)
        return box is not None and box.alive() and self._bootstrap(box, QUICK_S).is_up()

    def _prepare(self, progress: Progress) -> Stock:
        from sandbox.workshop import Workshop

        return Workshop(self.cache, progress, self.may_install).prepare()

    def _ensure_box(self, stock: Stock) -> Record:
        """Return the record of a running box, starting it with fresh settings when none runs."""
        box = record.load(self.state)
        if box is not None and box.alive():
            return box
        if box is not None:
            self._end(box)
        box = self._reserve(stock)
        self._write_settings(box)
        self._link_programs(box)
        self._link_store(stock)
        cgroups.create(box.cgroup)
        self._outer, pid = shell.spawn(self.state)
        box = box.running_as(pid)
        box.save(self.state)
        return box

    def _reserve(self, stock: Stock) -> Record:
        """Choose the box's addresses (its former ones where still free) and write them down."""
        with locks.held(state_root() / ".addresses"):
            former, used = record.load(self.state), network.used_networks()
            others = [box.slot for box in _records() if box.name != self.name]
            kept = former is not None and former.slot not in others
            if kept and former is not None and not any(former.link.network.overlaps(one) for one in used):
                link = former.link
            else:
                link = choose(others, used)
            box = record.Record(self.name, link.slot, str(stock.kubernetes))
            box.save(self.state)
            return box

    def _write_settings(self, box: Record) -> None:
        from sandbox import kubeconfig, pki, settings

        link: Link = box.link
        leaves = pki.leaves(box.node, link.node, API_SERVICE_ADDRESS)
        pki.write(self.state.pki, leaves, dt.datetime.now(dt.UTC))
        for user in DAEMON_USERS:
            local = f"https://127.0.0.1:{API_PORT}"
            kubeconfig.write(self.state.pki / f"{user}.kubeconfig", box.context, local, self.state.pki, user)
        kubeconfig.write(self.kubeconfig, box.context, f"https://{link.node}:{API_PORT}", self.state.pki, "admin")
        settings.write(box, self.state)

    def _link_programs(self, box: Record) -> None:
        from sandbox.daemons import KUBERNETES_NAMES

        self.state.bin.mkdir(exist_ok=True)
        for name in KUBERNETES_NAMES:
            (self.state.bin / name).unlink(missing_ok=True)
            (self.state.bin / name).symlink_to(box.kubernetes)

    def _link_store(self, stock: Stock) -> None:
        from sandbox import golden

        if not self.state.containerd.exists():
            with locks.held(self.cache.lock):
                golden.link(stock.golden, self.state.containerd)

    def _load_images(self, stock: Stock, progress: Progress) -> list[str]:
        from sandbox import images

        return images.load_changed(images.importer_through(self.enter_argv(())), stock.images, progress)

    def _bring_up(self, box: Record, stock: Stock, progress: Progress) -> None:
        from sandbox import crds, settings

        bootstrap = self._bootstrap(box)
        with progress.step("starting the API server", 8):
            bootstrap.wait_for_api()
        with progress.step("applying definitions, storage and the name server", 3):
            bootstrap.apply([*settings.system_manifests(box, self.state), *crds.load(stock.definitions)])
        with progress.step("waiting for the node and the name server", 6):
            bootstrap.wait_for_node()
            bootstrap.wait_for_names()

    def _end(self, box: Record, *, at_once: bool = False) -> None:
        if box.alive():
            shell.end(box.pid, STOP_PATIENCE_S, at_once=at_once)
        if self._outer is not None:
            self._outer.wait()
            self._outer = None
        network.disconnect(box.link)
        cgroups.remove(box.cgroup)
        self.state.health.unlink(missing_ok=True)

    def _bootstrap(self, box: Record, timeout_s: float = 120.0) -> Bootstrap:
        api = Api(box.link.node, API_PORT, self.state.pki, timeout_s=min(timeout_s, 10.0))
        return Bootstrap(api, box.node, box.since, timeout_s, self._failing)

    def _failing(self) -> str:
        """Return which daemon keeps dying with the end of its log, or nothing."""
        for daemon in self._daemons():
            if daemon["restarts"] >= HOPELESS_RESTARTS:
                log = self.state.logs / f"{daemon['name']}.log"
                last = " / ".join(log.read_text(errors="replace").splitlines()[-2:])
                return f"{daemon['name']} died {daemon['restarts']} times; {log} ends with: {last[-400:]}"
        return ""

    def _daemons(self) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = json.loads(self.state.health.read_text())
        except (FileNotFoundError, ValueError):
            return []
        return found

    def _record(self) -> Record:
        box = record.load(self.state)
        if box is None:
            raise RefusedError(
                f"there is no sandbox {self.name}; make it with `grayling sandbox up --name {self.name}`"
            )
        return box

    def _running(self) -> Record:
        box = self._record()
        if not box.alive():
            raise RefusedError(
                f"sandbox {self.name} is stopped; start it with `grayling sandbox up --name {self.name}`"
            )
        return box

    def _locked(self, progress: Progress | None = None) -> AbstractContextManager[None]:
        told = progress or Silent()
        return locks.held(self.state.lock, lambda: told.say(f"another command works on sandbox {self.name}; waiting"))


def _records() -> list[Record]:
    """Return the records of every box of this user."""
    found = [record.load(State(path)) for path in state_root().iterdir() if path.is_dir()]
    return [box for box in found if box is not None]

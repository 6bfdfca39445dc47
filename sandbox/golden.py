"""Keeps one unpacked containerd store that every new box is linked from.

Unpacking the images takes ten seconds and more; linking a finished store takes
one. It is sound because layers below a container are never written to: the
overlay copies a file up before it changes it, and removing a box's link leaves
the other links alone. Only containerd's two databases are written in place, so
they are copied for real.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from sandbox.errors import ImageError
from sandbox.importer import Importer
from sandbox.layers import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.archive import Image
    from sandbox.layout import Cache

START_TIMEOUT_S = 20.0
KEPT_S = 3600.0
"""How long after its last use a store of another version stays: somebody may be about to link a box from it."""
USUAL_S = 25
CONFIG = """version = 2
root = "{root}"
state = "{state}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "{state}/socket"
"""


def path_of(cache: Cache, layers: Iterable[str]) -> Path:
    """Return where the store with exactly the layers of these digests lies, made or not."""
    return cache.golden / key_of(*sorted(set(layers)))


def make(target: Path, images: Iterable[Image], log: Path) -> None:
    """Unpack ``images`` into a store at ``target`` with a containerd that ends with this call."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(mkdtemp(prefix="grayling-"))
    partial = target.with_suffix(f".{os.getpid()}.partial")
    try:
        _unpack(partial, scratch, images, log)
        partial.replace(target)
        _forget_others(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(scratch, ignore_errors=True)


def link(source: Path, target: Path) -> None:
    """Give a box its own store at ``target``: links to the layers, copies of the databases.

    In a folder of this process alone: where one before it was killed, its ``cp`` may still be writing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f"{target.name}.*.partial"):
        shutil.rmtree(left, ignore_errors=True)
    partial = target.with_suffix(f".{os.getpid()}.partial")
    linked = subprocess.run(["cp", "-al", str(source), str(partial)], capture_output=True, check=False)
    if linked.returncode != 0:  # another file system: links cannot reach across
        shutil.rmtree(partial, ignore_errors=True)
        subprocess.run(["cp", "-a", str(source), str(partial)], check=True)
    for database in partial.glob("*/*.db"):
        original = source / database.relative_to(partial)
        database.unlink()
        shutil.copy2(original, database)
    partial.replace(target)


def _unpack(root: Path, scratch: Path, images: Iterable[Image], log: Path) -> None:
    config = scratch / "containerd.toml"
    config.write_text(CONFIG.format(root=root, state=scratch))
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "containerd", "--config", str(config)]
    with log.open("ab") as sink:
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)
    inside = ("nsenter", f"--mount=/proc/{daemon.pid}/ns/mnt")
    importer = Importer(str(scratch / "socket"), inside)
    try:
        _wait_until_answers(importer, daemon, log)
        importer.load(images)
    finally:
        _stop(daemon)


def _wait_until_answers(importer: Importer, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while daemon.poll() is None and time.monotonic() < deadline:
        try:
            importer.images()
        except ImageError:
            time.sleep(0.1)
        else:
            return
    raise ImageError(f"containerd did not start to unpack the images; see {log}")


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    """End containerd politely through its only child relation, so that its databases are closed."""
    for child in Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGTERM)
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def use(store: Path) -> None:
    """Say that a box will be linked from it soon."""
    os.utime(store)


def _forget_others(kept: Path) -> None:
    """Remove older stores that nobody used for long; boxes linked from them keep their files."""
    for other in kept.parent.iterdir():
        unused = time.time() - other.stat().st_mtime > KEPT_S
        if other != kept and unused and not other.name.endswith(".partial"):
            shutil.rmtree(other, ignore_errors=True)

"""Keeps a box's images equal to what this checkout would make.

Who works on the engine changes a file and wants it in the cluster in seconds:
``refresh`` makes the small source layers again and imports only images whose
digest differs. Pods take the new image at their next start.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sandbox.daemons import SOCKET
from sandbox.errors import ImageError
from sandbox.importer import Importer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.archive import Image
    from sandbox.box import Sandbox
    from sandbox.progress import Progress

CONTAINERD_TIMEOUT_S = 30.0


def refresh(sandbox: Sandbox, progress: Progress) -> list[str]:
    """Import the images that differ from this checkout into a running box and return their names."""
    from sandbox.workshop import Workshop

    stock = Workshop(sandbox.cache, progress, sandbox.may_install).prepare()
    return load_changed(sandbox, stock.images, progress)


def load_changed(sandbox: Sandbox, images: Iterable[Image], progress: Progress) -> list[str]:
    """Import those of ``images`` that the box lacks or has with another digest; return their names."""
    importer = importer_of(sandbox)
    changed = importer.changed(images)
    names = [image.name for image in changed]
    if changed:
        with progress.step(f"importing {len(changed)} images: {', '.join(names)}", 3):
            importer.load(changed)
    return names


def present(sandbox: Sandbox) -> dict[str, str]:
    """Return the images of a running box: full name to digest."""
    return importer_of(sandbox).images()


def importer_of(sandbox: Sandbox) -> Importer:
    """Return the importer of a running box once its containerd answers."""
    importer = Importer(SOCKET, tuple(sandbox.enter_argv(())))
    deadline = time.monotonic() + CONTAINERD_TIMEOUT_S
    while True:
        try:
            importer.images()
        except ImageError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return importer

"""Keeps a box's images equal to what this checkout would make.

Who works on the engine changes a file and wants it in the cluster in seconds:
only images whose digest differs are imported. Pods take the new image at their
next start.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sandbox.daemons import SOCKET
from sandbox.errors import ImageError
from sandbox.importer import Importer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sandbox.archive import Image
    from sandbox.progress import Progress

CONTAINERD_TIMEOUT_S = 30.0


def load_changed(importer: Importer, images: Iterable[Image], progress: Progress) -> list[str]:
    """Import those of ``images`` that a box lacks or has with another digest; return their names."""
    changed = importer.changed(images)
    names = [image.name for image in changed]
    if changed:
        with progress.step(f"importing {len(changed)} images: {', '.join(names)}", 3):
            importer.load(changed)
    return names


def importer_through(enter: Sequence[str]) -> Importer:
    """Return the importer of the running box that the command ``enter`` steps into, once its containerd answers."""
    importer = Importer(SOCKET, tuple(enter))
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

"""Brings images into a containerd: asks what it has and streams what differs.

The archive goes through a pipe, so no second copy of the layers is ever written,
and layers that containerd has already are left out: after a change of one source
file a few kilobytes travel.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from sandbox import archive
from sandbox.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sandbox.archive import Image

NAMESPACE = "k8s.io"
DIGEST_COLUMN = 2
SENT_AGAIN = 3


@dataclass(frozen=True)
class Importer:
    """One containerd. ``prefix`` is what comes before a command to reach it."""

    socket: str
    prefix: tuple[str, ...] = ()

    def images(self) -> dict[str, str]:
        """Return the images containerd has: full name to digest."""
        rows = self._ctr("images", "ls").splitlines()[1:]
        found = {row.split()[0]: row.split()[DIGEST_COLUMN] for row in rows if row.strip()}
        return {name: digest for name, digest in found.items() if not name.startswith("sha256:")}

    def blobs(self) -> frozenset[str]:
        """Return the digests of every blob containerd has."""
        return frozenset(self._ctr("content", "ls", "--quiet").split())

    def changed(self, images: Iterable[Image]) -> list[Image]:
        """Return those of ``images`` that containerd lacks or has with another digest."""
        present = self.images()
        return [image for image in images if present.get(image.name) != image.digest()]

    def load(self, images: Iterable[Image]) -> None:
        """Import ``images`` under their names and unpack their layers.

        What containerd has already is left out; where it has since thrown such a blob away (an import that was killed
        leaves some that nothing refers to), everything is sent. It may throw a layer away between two of its own steps,
        too, while it collects what the killed one left: that ends soon, so everything is sent again.

        Raises:
            ImageError: containerd did not take them.
        """
        images = list(images)
        reason = self._import(images, self.blobs())
        for _ in range(SENT_AGAIN):
            if not reason:
                return
            reason = self._import(images, frozenset())
        if reason:
            raise ImageError(f"containerd did not take the images: {reason}")

    def _import(self, images: Sequence[Image], known: frozenset[str]) -> str:
        """Why containerd did not take the images; empty when it did."""
        command = self._command("images", "import", "-")
        with TemporaryFile() as told:
            ctr = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=told, stderr=told)
            if ctr.stdin is not None:
                _feed(ctr.stdin, images, known)
            failed = ctr.wait() != 0
            told.seek(0)
            reason = told.read().decode(errors="replace").strip()[-600:]
        return (reason or "no reason given") if failed else ""

    def _ctr(self, *arguments: str) -> str:
        ended = subprocess.run(self._command(*arguments), capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise ImageError(f"containerd at {self.socket} does not answer: {ended.stderr.strip()[-400:]}")
        return ended.stdout

    def _command(self, *arguments: str) -> list[str]:
        return [*self.prefix, "ctr", "--address", self.socket, "--namespace", NAMESPACE, *arguments]


def _feed(sink: IO[bytes], images: Iterable[Image], present: frozenset[str]) -> None:
    """Stream an archive to the importer; when that hangs up, its own message says why."""
    with suppress(BrokenPipeError), sink:
        archive.write(images, sink, present)

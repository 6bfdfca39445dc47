"""Brings images into a containerd: asks what it has and streams what differs.

The archive goes through a pipe, so no second copy of the layers is ever written,
and layers that containerd has already are left out: after a change of one source
file a few kilobytes travel.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.errors import ImageError
from sandbox import archive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.archive import Image

NAMESPACE = "k8s.io"
DIGEST_COLUMN = 2


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
        """Import ``images`` under their names and unpack their layers."""
        command = self._command("images", "import", "-")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as ctr:
            assert ctr.stdin is not None
            try:
                archive.write(images, ctr.stdin, self.blobs())
                ctr.stdin.close()
            except BrokenPipeError:
                pass
            told = ctr.stdout.read().decode(errors="replace") if ctr.stdout else ""
        if ctr.returncode != 0:
            raise ImageError(f"containerd did not take the images: {told.strip()[-600:]}")

    def _ctr(self, *arguments: str) -> str:
        ended = subprocess.run(self._command(*arguments), capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise ImageError(f"containerd at {self.socket} does not answer: {ended.stderr.strip()[-400:]}")
        return ended.stdout

    def _command(self, *arguments: str) -> list[str]:
        return [*self.prefix, "ctr", "--address", self.socket, "--namespace", NAMESPACE, *arguments]

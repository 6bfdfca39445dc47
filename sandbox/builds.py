"""Compiles the Go programs of a node once and keeps them by what they were made of.

No release binaries and no image registry are needed: the Go module registry has
all of Kubernetes, Contour and CoreDNS, and the committed checksums pin every
module. A program is keyed by its go.mod, go.sum, sources and flags, so a changed
toolchain builds beside the old one and an unchanged one never builds again.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import BuildError

if TYPE_CHECKING:
    from sandbox.layout import Cache

TOOLCHAIN = Path(__file__).parent / "toolchain"
POLITELY = ("nice", "-n", "10")
"""A box that runs beside a compiler keeps its processors."""


@dataclass(frozen=True)
class Program:
    """One Go program: where its module file lies and what is compiled from it.

    ``usual_s`` is how long a build takes from empty caches on two cores.
    """

    name: str
    package: str
    module: str
    version_symbols: tuple[str, ...]
    usual_s: int

    @property
    def folder(self) -> Path:
        """The committed folder with go.mod, go.sum and, for some, a main.go."""
        return TOOLCHAIN / self.name

    @property
    def version(self) -> str:
        """The version of ``module`` that go.mod names, or ``v1`` for our own code."""
        return module_version(self.folder / "go.mod", self.module) if self.module else "v1"

    def flags(self) -> tuple[str, ...]:
        """Return the linker flags: small, and with the version stamped in."""
        stamps = tuple(f"-X {symbol}={self.version}" for symbol in self.version_symbols)
        return ("-s", "-w", *stamps)

    def key(self) -> str:
        """Return twelve hex digits that change whenever the program would."""
        digest = hashlib.sha256(" ".join(self.flags()).encode())
        for path in sorted(self.folder.iterdir()):
            digest.update(f"{path.name}\0".encode() + path.read_bytes())
        return digest.hexdigest()[:12]

    def output(self, cache: Cache) -> Path:
        """Return where the compiled program lies, built or not."""
        return cache.binaries / f"{self.name}-{self.key()}" / self.name


KUBERNETES = Program(
    "kubernetes",
    ".",
    "k8s.io/kubernetes",
    ("k8s.io/component-base/version.gitVersion", "k8s.io/client-go/pkg/version.gitVersion"),
    330,
)
CONTOUR = Program(
    "contour",
    "github.com/projectcontour/contour/cmd/contour",
    "github.com/projectcontour/contour",
    ("github.com/projectcontour/contour/internal/build.Version",),
    105,
)
COREDNS = Program("coredns", "github.com/coredns/coredns", "github.com/coredns/coredns", (), 95)
PAUSE = Program("pause", ".", "", (), 5)
HELM = Program("helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4", ("helm.sh/helm/v4/internal/version.version",), 80)
"""No program of a node: it renders and packs the chart of the engine."""
KUBECTL = Program("kubectl", ".", "k8s.io/kubectl", ("k8s.io/component-base/version.gitVersion",), 60)
"""No program of a node: tests follow runbooks with it where none is installed."""

PROGRAMS = (PAUSE, KUBERNETES, COREDNS, CONTOUR)


def module_version(go_mod: Path, module: str) -> str:
    """Return the version that a go.mod requires of ``module``, as ``v1.2.3``."""
    pattern = rf"^(?:require)?\s*{re.escape(module)} (v\S+)"
    found = re.search(pattern, go_mod.read_text(), re.MULTILINE)
    if found is None:
        message = f"{go_mod} does not require {module}; the toolchain folder is damaged"
        raise BuildError(message)
    return found.group(1)


def build(program: Program, cache: Cache, go: Path, log: Path) -> Path:
    """Compile ``program`` unless the cache has it, and return the binary.

    The compiler writes beside its final place and the result is renamed into it,
    so a build that was killed never looks like one that ended well.
    """
    output = program.output(cache)
    if output.exists():
        return output
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f"{output.name}.{os.getpid()}.partial")
    command = [*POLITELY, str(go), "build", "-trimpath", "-buildvcs=false", "-mod=readonly"]
    command += ["-ldflags", " ".join(program.flags()), "-o", str(partial), program.package]
    with log.open("ab") as sink:
        ended = subprocess.run(
            command,
            cwd=program.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode != 0:
        raise BuildError(_failure(program, log))
    partial.replace(output)
    return output


def _environment() -> dict[str, str]:
    """Return the environment of the compiler: no C, no workspace of the caller's."""
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}


def _failure(program: Program, log: Path) -> str:
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
    return f"compiling {program.name} {program.version} failed (whole log: {log}):\n{tail}"

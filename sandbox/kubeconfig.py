"""Writes kubeconfigs: one for people on the host, one for each daemon in the box.

They carry their certificates inside, so a kubeconfig can be copied or mounted
alone. The user's own ``~/.kube/config`` is never read nor written.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path


def render(context: str, server: str, authority: bytes, certificate: bytes, key: bytes) -> str:
    """Return a kubeconfig with one context as YAML; the last three arguments are PEM."""
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": {"server": server, "certificate-authority-data": _b64(authority)}}],
        "users": [
            {"name": context, "user": {"client-certificate-data": _b64(certificate), "client-key-data": _b64(key)}}
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context, "namespace": "default"}}],
    }
    return yaml.safe_dump(document, sort_keys=False)


def write(path: Path, context: str, server: str, pki: Path, user: str) -> None:
    """Write the kubeconfig of ``user`` (the name of a leaf below ``pki``), for its owner alone."""
    parts = [(pki / name).read_bytes() for name in ("ca.crt", f"{user}.crt", f"{user}.key")]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(render(context, server, *parts))


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode()

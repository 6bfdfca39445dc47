"""Kubeconfigs that hold their credentials themselves, read without the official client.

Importing that client costs half a second, which a person feels at every `release status`. Everything beyond
certificates and tokens (plugins, providers, proxies, several files) is left to it: :func:`read` then answers None.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLUSTER_KEYS = {"server", "certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify"}
USER_KEYS = {"client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile"}


@dataclass(frozen=True, slots=True)
class Plain:
    """What a context says, with paths made absolute."""

    cluster: dict[str, Any]
    user: dict[str, Any]
    namespace: str
    folder: Path

    @property
    def host(self) -> str:
        """The API server's URL."""
        return str(self.cluster["server"]).rstrip("/")

    async def bearer(self) -> str | None:
        """The Authorization header; a token file is read each time, because it is renewed."""
        if self.user.get("tokenFile"):
            return f"Bearer {(self.folder / self.user['tokenFile']).read_text().strip()}"
        token = self.user.get("token")
        return f"Bearer {token}" if token else None

    def tls(self) -> ssl.SSLContext:
        """Trust and identity.

        Raises:
            OSError: a file is missing or is no certificate.
        """
        file, data = self.cluster.get("certificate-authority"), self.cluster.get("certificate-authority-data")
        context = ssl.create_default_context(
            cafile=str(self.folder / file) if file and not data else None,
            cadata=_decoded(data).decode() if data else None,
        )
        if self.cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.user.get("client-certificate") or self.user.get("client-certificate-data"):
            self._identify(context)
        return context

    def _identify(self, context: ssl.SSLContext) -> None:
        """OpenSSL loads a certificate from files alone: data goes through files that only we can read."""
        with tempfile.TemporaryDirectory(prefix="grayling-") as folder:
            certificate, key = (self._file(part, Path(folder)) for part in ("client-certificate", "client-key"))
            context.load_cert_chain(certificate, key)

    def _file(self, key: str, folder: Path) -> Path:
        data = self.user.get(f"{key}-data")
        if not data:
            return self.folder / str(self.user.get(key))
        path = folder / key
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(_decoded(data))
        return path


def _decoded(data: Any) -> bytes:
    try:
        return base64.b64decode(str(data), validate=True)
    except binascii.Error as error:
        raise OSError(f"credentials are not base64: {error}") from error


def read(path: str, context: str | None) -> Plain | None:
    """The credentials of a context, or None where the official client must be asked."""
    import yaml

    if os.pathsep in path:
        return None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(Path(path).read_text(), loader)  # noqa: S506 - a safe loader, the fast one
        chosen = _named(document, "context", context or document["current-context"])
        cluster, user = _named(document, "cluster", chosen["cluster"]), _named(document, "user", chosen["user"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not (cluster.get("server") and set(cluster) <= CLUSTER_KEYS and set(user) <= USER_KEYS):
        return None
    return Plain(cluster, user, str(chosen.get("namespace") or "default"), Path(path).absolute().parent)


def _named(document: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    for entry in document[f"{kind}s"]:
        if entry["name"] == name:
            return dict(entry.get(kind) or {})
    raise KeyError(name)

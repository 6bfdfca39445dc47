"""Kubeconfigs with certificates, tokens or a program that gives them, read without the official client.

Importing that client costs half a second, which a person feels at every `release status`; and it goes on without
credentials where the program fails. What is beyond that (providers, proxies, several files) is left to it:
:func:`read` then answers None.
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

CLUSTER_KEYS = {
    "server",
    "certificate-authority",
    "certificate-authority-data",
    "insecure-skip-tls-verify",
    "disable-compression",
    "extensions",
}
USER_KEYS = {
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "token",
    "tokenFile",
    "exec",
}
PATHS = {"certificate-authority", "client-certificate", "client-key", "tokenFile"}


@dataclass(frozen=True, slots=True)
class Plain:
    """What a context says, with paths made absolute."""

    cluster: dict[str, Any]
    user: dict[str, Any]
    namespace: str

    @property
    def host(self) -> str:
        """The API server's URL."""
        return str(self.cluster["server"]).rstrip("/")

    async def bearer(self) -> str | None:
        """The Authorization header; a token file is read each time, because it is renewed."""
        if self.user.get("tokenFile"):
            return f"Bearer {self._file('tokenFile').strip().decode()}"
        token = self.user.get("token")
        return f"Bearer {token}" if token else None

    def tls(self) -> ssl.SSLContext:
        """Trust and identity.

        Raises:
            OSError: a file is missing or is no certificate.
        """
        file, data = self.cluster.get("certificate-authority"), self.cluster.get("certificate-authority-data")
        context = ssl.create_default_context(
            cafile=file if file and not data else None,
            cadata=_decoded(data).decode() if data else None,
        )
        if self.cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.user.get("client-certificate") or self.user.get("client-certificate-data"):
            identify(context, *(self._part(part) for part in ("client-certificate", "client-key")))
        return context

    def _part(self, key: str) -> bytes:
        data = self.user.get(f"{key}-data")
        return _decoded(data) if data else self._file(key)

    def _file(self, key: str) -> bytes:
        return Path(str(self.user.get(key))).read_bytes()


def identify(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Show this certificate from now on. OpenSSL loads one from files alone: it goes through files only we can read.

    Raises:
        OSError: it is no certificate, or the key is not its own.
    """
    with tempfile.TemporaryDirectory(prefix="grayling-") as folder:
        paths = [Path(folder) / name for name in ("certificate", "key")]
        for path, content in zip(paths, (certificate, key), strict=True):
            path.touch(0o600)
            path.write_bytes(content)
        context.load_cert_chain(*map(str, paths))


def _decoded(data: Any) -> bytes:
    try:
        return base64.b64decode(str(data), validate=True)
    except binascii.Error as error:
        raise OSError(f"credentials are not base64: {error}") from error


def read(path: str, context: str | None) -> Plain | None:
    """The credentials of a context, or None where the official client must be asked; as :func:`chosen`."""
    found = chosen(path, context)
    if found is None or not (found.cluster.get("server") and set(found.cluster) <= CLUSTER_KEYS):
        return None
    return found if set(found.user) <= USER_KEYS else None


def chosen(path: str, context: str | None) -> Plain | None:
    """What a context says, or None where it cannot be read.

    Args:
        path: of a kubeconfig, or several as ``KUBECONFIG`` has them: the first to say a thing is right.
        context: by name; the current one if None.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = [Path(each).expanduser().absolute() for each in path.split(os.pathsep) if each]
    try:
        documents = [
            (file.parent, yaml.load(file.read_text(), loader) or {})  # noqa: S506 - a safe loader, the fast one
            for file in files
            if len(files) == 1 or file.exists()
        ]
        current = next(
            (document["current-context"] for _, document in documents if "current-context" in document), None
        )
        found = _named(documents, "context", context or current)
        cluster, user = _named(documents, "cluster", found["cluster"]), _named(documents, "user", found["user"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Plain(cluster, user, str(found.get("namespace") or "default"))


def _named(documents: list[tuple[Path, dict[str, Any]]], kind: str, name: str | None) -> dict[str, Any]:
    for folder, document in documents:
        for entry in document.get(f"{kind}s") or ():
            if entry["name"] == name:
                return _absolute(dict(entry.get(kind) or {}), folder)
    raise KeyError(name)


def _absolute(found: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same, with the paths that count from the kubeconfig's own folder made absolute."""
    paths: dict[str, Any] = {key: str(folder / value) for key, value in found.items() if key in PATHS and value}
    program = found.get("exec")
    if isinstance(program, dict) and os.sep in str(program.get("command")):
        paths["exec"] = {**program, "command": str(folder / program["command"])}
    return found | paths

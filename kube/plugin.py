"""Credentials from a program that a kubeconfig names (``users[].user.exec``), as kubectl asks it for them.

The program is a stranger: it may be missing, fail, hang, print nonsense or print for ever. Each of these is one error
that names it and says what it said; it never has a terminal, so it can ask nobody anything.

The protocol: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kube.errors import ClusterUnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 20.0
MOST_BYTES = 2**20
MOST_WORDS, MOST_SHOWN = 400, 20
"""Letters of what it says, and of what it prints: that may be a secret."""
CONFIG_EXTENSION = "client.authentication.k8s.io/exec"
UNDATED_SECONDS = 300.0
"""For so long credentials are used that do not say when they expire."""
EARLY_SECONDS = 10.0
"""Before they expire, new ones are asked for."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a program gave: a token, or a certificate with its key (PEM), or both."""

    token: str
    certificate: str
    key: str
    until: float


class _Heard(asyncio.SubprocessProtocol):
    """What a program prints, until it has ended or printed more than anybody reads."""

    def __init__(self) -> None:
        self.parts = {1: bytearray(), 2: bytearray()}
        self.enough, self.over = asyncio.Event(), asyncio.Event()

    @property
    def most(self) -> int:
        return max(map(len, self.parts.values()))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if self.most <= MOST_BYTES:
            self.parts[fd] += data
        if self.most > MOST_BYTES:
            self.enough.set()

    def connection_lost(self, _: Exception | None) -> None:
        self.enough.set()
        self.over.set()


@dataclass(slots=True)
class Plugin:
    """One program, and what it gave last.

    Attributes:
        said: `exec` of the kubeconfig's user.
        cluster: of the kubeconfig; a program with ``provideClusterInfo`` is told of it.
        seconds: after which the program is ended.
        clock: seconds since the epoch.
    """

    said: dict[str, Any]
    cluster: dict[str, Any]
    seconds: float = SECONDS
    clock: Callable[[], float] = time.time
    _newest: Credentials | None = None
    _asking: asyncio.Task[Credentials] | None = None

    @property
    def name(self) -> str:
        """How errors name it."""
        return f"credentials plugin {self.said.get('command')}"

    async def credentials(self) -> Credentials:
        """Those of now; the program runs where there are none, or they are about to expire.

        Raises:
            ClusterUnreachableError: it gives none.
            UsageError: the kubeconfig does not say rightly how to run it.
        """
        if self._newest is None or self._newest.until <= self.clock():
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._asked())
                self._asking.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._newest = await asyncio.shield(self._asking)
        return self._newest

    async def _asked(self) -> Credentials:
        return self._read(*await self._run())

    async def _run(self) -> tuple[bytes, bytes]:
        command, environment = self.command(), os.environ | self._environment()
        loop = asyncio.get_running_loop()
        try:
            process, heard = await loop.subprocess_exec(
                _Heard, *command, stdin=asyncio.subprocess.DEVNULL, env=environment, start_new_session=True
            )
        except (OSError, ValueError) as error:
            hint = f"; {_words(str(self.said['installHint']))}" if self.said.get("installHint") else ""
            raise ClusterUnreachableError(f"{self.name} cannot be run: {error}{hint}") from error
        try:
            async with asyncio.timeout(self.seconds):
                await heard.enough.wait()
            if heard.most > MOST_BYTES:
                raise ClusterUnreachableError(f"{self.name} prints more than {MOST_BYTES} bytes")
        except TimeoutError as error:
            raise ClusterUnreachableError(f"{self.name} gives no answer within {self.seconds:g} s") from error
        finally:
            if not heard.over.is_set():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.get_pid(), signal.SIGKILL)
            process.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await heard.over.wait()
        code, told = process.get_returncode(), bytes(heard.parts[2])
        if code:
            raise ClusterUnreachableError(f"{self.name} ended with {code}: {_words(told) or 'it says nothing'}")
        return bytes(heard.parts[1]), told

    def command(self) -> list[str]:
        """The program and its arguments.

        Raises:
            UsageError: the kubeconfig does not say them rightly.
        """
        command, arguments = self.said.get("command"), self.said.get("args") or []
        if not isinstance(command, str) or not command:
            raise UsageError(f"exec.command is {command!r}: give the program that prints credentials")
        if not isinstance(arguments, list) or not all(isinstance(each, str) for each in arguments):
            raise UsageError(f"exec.args of {command} is {arguments!r}: give a list of texts")
        if not isinstance(self.said.get("apiVersion"), str):
            raise UsageError(f"exec.apiVersion of {command} is missing: give client.authentication.k8s.io/v1")
        return [command, *arguments]

    def _environment(self) -> dict[str, str]:
        if self.said.get("interactiveMode") == "Always":
            raise ClusterUnreachableError(f"{self.name} needs a terminal (interactiveMode: Always), and has none here")
        told = {"interactive": False, **({"cluster": self._told()} if self.said.get("provideClusterInfo") else {})}
        info = {"kind": "ExecCredential", "apiVersion": self.said["apiVersion"], "spec": told}
        try:
            given = {str(entry["name"]): str(entry["value"]) for entry in self.said.get("env") or []}
        except (TypeError, KeyError) as error:
            raise UsageError(f"exec.env of {self.said.get('command')} is no list of names and values") from error
        return given | {"KUBERNETES_EXEC_INFO": json.dumps(info, default=str)}

    def _told(self) -> dict[str, Any]:
        """The cluster as the protocol names its parts; a certificate in a file becomes one in the document."""
        known = {
            key: value for key, value in self.cluster.items() if key not in {"certificate-authority", "extensions"}
        }
        file = self.cluster.get("certificate-authority")
        if file and "certificate-authority-data" not in known:
            known["certificate-authority-data"] = base64.b64encode(Path(file).read_bytes()).decode()
        extensions = self.cluster.get("extensions")
        for each in extensions if isinstance(extensions, list) else ():
            if isinstance(each, dict) and each.get("name") == CONFIG_EXTENSION:
                known["config"] = each.get("extension")
        return known

    def _read(self, out: bytes, told: bytes) -> Credentials:
        """What it printed.

        Raises:
            ClusterUnreachableError: that is no ExecCredential of the version asked for, or has no credentials.
        """
        try:
            document = json.loads(out)
        except (ValueError, RecursionError) as error:
            shown = f"but {_words(out)[:MOST_SHOWN]!r}" if out else "but nothing"
            also = f"; it says: {_words(told)}" if told.strip() else ""
            raise ClusterUnreachableError(f"{self.name} prints no ExecCredential {shown}{also}") from error
        status = document.get("status") if isinstance(document, dict) else None
        if not isinstance(status, dict) or document.get("kind") != "ExecCredential":
            raise ClusterUnreachableError(f"{self.name} prints no ExecCredential with a status: {_shape(document)}")
        wanted = self.said.get("apiVersion")
        if document.get("apiVersion") != wanted:
            answered = _words(str(document.get("apiVersion")))
            raise ClusterUnreachableError(f"{self.name} answers as {answered}, and the kubeconfig asks for {wanted}")
        parts = [status.get(key) or "" for key in ("token", "clientCertificateData", "clientKeyData")]
        if not all(isinstance(part, str) for part in parts) or bool(parts[1]) != bool(parts[2]) or not any(parts):
            without = "a status without a token, or a certificate with its key"
            raise ClusterUnreachableError(f"{self.name} prints {without}: {_shape(status)}")
        return Credentials(parts[0], parts[1], parts[2], self._until(status.get("expirationTimestamp")))

    def _until(self, stamp: Any) -> float:
        if stamp is None:
            return self.clock() + UNDATED_SECONDS
        try:
            return datetime.fromisoformat(str(stamp)).timestamp() - EARLY_SECONDS
        except (ValueError, OverflowError) as error:
            raise ClusterUnreachableError(
                f"{self.name} gives an expirationTimestamp that is no time: {_words(str(stamp))}"
            ) from error


def _words(told: bytes | bytearray | str) -> str:
    """What a program says, in one line that steers no terminal."""
    text = told if isinstance(told, str) else bytes(told).decode(errors="replace")
    return "".join(each if each.isprintable() else "?" for each in " ".join(text.split()))[:MOST_WORDS]


def _shape(document: Any) -> str:
    """What it is made of, without values: they may be secret."""
    return (
        f"a map of {_words(', '.join(map(str, document)))}" if isinstance(document, dict) else type(document).__name__
    )

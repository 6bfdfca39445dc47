"""Finding the cluster: flags, a sandbox's own kubeconfig, ``KUBECONFIG``, the home folder, or the pod we run in."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kube import plain
from kube.errors import ClusterUnreachableError, UsageError
from kube.plugin import Plugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kube.plugin import Credentials

PLUGIN_SECONDS = 20.0
MOST_WORDS = 600
_HEADER = re.compile(r"[ -~]+")
CREDENTIALS_SECONDS = 25.0
"""For credentials to be there; more than a plugin is given, because its own words are better than ours."""


@dataclass(slots=True)
class Connection:
    """What a session needs: where the server is, how to trust it, how to be trusted."""

    host: str
    tls: ssl.SSLContext
    namespace: str
    bearer: Callable[[], Awaitable[str | None]] = field(repr=False)
    in_cluster: bool = False

    async def authorization(self, what: str) -> str | None:
        """The Authorization header of now: a token may be renewed by a file or by a program.

        Args:
            what: names the request in errors.

        Raises:
            ClusterUnreachableError: there is none, or none in time.
        """
        try:
            async with asyncio.timeout(CREDENTIALS_SECONDS):
                header = await self.bearer()
        except TimeoutError as error:
            told = f"no answer within {CREDENTIALS_SECONDS:g} s"
            raise ClusterUnreachableError(f"{what}: the credentials cannot be had: {told}") from error
        except Exception as error:
            told = str(error)[:MOST_WORDS] or type(error).__name__
            raise ClusterUnreachableError(f"{what}: the credentials cannot be had: {told}") from error
        if header and not _HEADER.fullmatch(header):
            raise ClusterUnreachableError(f"{what}: the credentials cannot be had: the token has letters that none has")
        return header


def sandbox_kubeconfig(name: str) -> Path:
    """Where ``grayling sandbox`` keeps the kubeconfig of the box called ``name``."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "grayling" / "sandbox" / name / "kubeconfig"


def locate(kubeconfig: str | None, context: str | None) -> tuple[str | None, str | None]:
    """The kubeconfig file(s) and context to use; ``(None, None)`` means the pod's own service account.

    A context called ``grayling-<name>`` finds that sandbox without any file named. When nothing is said anywhere and
    only the default sandbox exists, it is taken.

    Raises:
        UsageError: a kubeconfig that is not there, or nothing to connect to.
    """
    if kubeconfig:
        return _existing(kubeconfig, "--kubeconfig"), context
    if context and context.startswith("grayling-"):
        candidate = sandbox_kubeconfig(context.removeprefix("grayling-"))
        if candidate.exists():
            return str(candidate), context
    if env := os.environ.get("KUBECONFIG"):
        return env, context
    home = Path.home() / ".kube" / "config"
    if home.exists():
        return str(home), context
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return None, None
    if sandbox_kubeconfig("default").exists():
        return str(sandbox_kubeconfig("default")), context
    raise UsageError(
        "no cluster to talk to: there is no KUBECONFIG, no ~/.kube/config and no sandbox; "
        "pass --kubeconfig FILE or --context NAME, or start a sandbox with `grayling sandbox up`"
    )


def _existing(path: str, flag: str) -> str:
    if not Path(path).exists():
        raise UsageError(f"{flag} {path}: no such file")
    return path


async def connect(kubeconfig: str | None = None, context: str | None = None) -> Connection:
    """Read the credentials.

    Raises:
        UsageError: no cluster is configured, or the context does not exist.
        ClusterUnreachableError: the credentials cannot be read.
    """
    path, name = locate(kubeconfig, context)
    found = plain.read(path, name) if path else None
    return await _official(path, name) if found is None else _of_plain(found, path)


def _of_plain(found: plain.Plain, path: str | None) -> Connection:
    try:
        tls = found.tls()
        return Connection(found.host, tls, found.namespace, _bearer_of(found, tls))
    except (OSError, UsageError) as error:
        raise UsageError(f"kubeconfig {path}: {error}") from error


def _bearer_of(found: plain.Plain, tls: ssl.SSLContext) -> Callable[[], Awaitable[str | None]]:
    said = found.user.get("exec")
    if said is None or found.user.get("token") or found.user.get("tokenFile"):
        return found.bearer
    if not isinstance(said, dict):
        raise UsageError(f"exec is {said!r}: give a map with command and apiVersion")
    plugin = Plugin(said, found.cluster)
    plugin.command()
    shown: list[Credentials] = []

    async def bearer() -> str | None:
        """What the program gives now; a certificate is shown to the server from the next connection on."""
        given = await plugin.credentials()
        if given.certificate and given not in shown:
            try:
                plain.identify(tls, given.certificate.encode(), given.key.encode())
            except OSError as error:
                raise ClusterUnreachableError(f"{plugin.name} gives a certificate that is none: {error}") from error
            shown[:] = [given]
        return f"Bearer {given.token}" if given.token else None

    return bearer


async def _official(path: str | None, name: str | None) -> Connection:
    """As the official client reads it: plugins, providers, merged files, and the pod's own service account."""
    from kubernetes.aio.config import ConfigException
    from yaml import YAMLError

    try:
        return await _loaded(path, name)
    except (ConfigException, YAMLError) as error:
        raise UsageError(f"kubeconfig {path or '(in cluster)'}: {error}") from error
    except OSError as error:
        raise ClusterUnreachableError(f"kubeconfig {path}: {error}") from error
    except (TypeError, AttributeError, KeyError, ValueError, RecursionError) as error:  # the client's own words for it
        raise UsageError(f"kubeconfig {path or '(in cluster)'}: it is none ({error})") from error


async def _loaded(path: str | None, name: str | None) -> Connection:
    from kubernetes.aio import client, config

    settings = client.Configuration()
    if path is None:
        config.load_incluster_config(client_configuration=settings)
    else:
        try:
            async with asyncio.timeout(PLUGIN_SECONDS):
                await config.load_kube_config(path, name, settings, persist_config=False)
        except TimeoutError as error:
            told = f"its credentials plugin gives no answer within {PLUGIN_SECONDS:g} s"
            raise ClusterUnreachableError(f"kubeconfig {path}: {told}") from error
        _check_plugin(path, name, settings)
    return Connection(
        host=settings.host.rstrip("/"),
        tls=_tls(settings),
        namespace=_namespace(path, name),
        bearer=lambda: settings.get_api_key_with_prefix("BearerToken"),
        in_cluster=path is None,
    )


def _check_plugin(path: str, name: str | None, settings: Any) -> None:
    """The official client goes on without credentials where a plugin gives none.

    Raises:
        ClusterUnreachableError: it did.
    """
    found = plain.chosen(path, name)
    said = found.user.get("exec") if found else None
    if said and not settings.api_key and not settings.cert_file:
        command = said.get("command") if isinstance(said, dict) else said
        told = f"credentials plugin {command} gives no credentials; run it by hand to see why"
        raise ClusterUnreachableError(f"kubeconfig {path}: {told}")


def _tls(settings: object) -> ssl.SSLContext:
    get = settings.__dict__.get
    context = ssl.create_default_context(cafile=get("ssl_ca_cert"), cadata=get("ca_cert_data"))
    if get("cert_file"):
        context.load_cert_chain(str(get("cert_file")), get("key_file"))
    if not get("verify_ssl", True):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _namespace(path: str | None, context: str | None) -> str:
    if path is None:
        mounted = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
        return mounted.read_text().strip() if mounted.exists() else "default"
    import yaml

    for file in path.split(os.pathsep):
        if not Path(file).exists():
            continue
        document = yaml.safe_load(Path(file).read_text()) or {}
        wanted = context or document.get("current-context")
        for entry in document.get("contexts") or ():
            if entry.get("name") == wanted:
                return str((entry.get("context") or {}).get("namespace") or "default")
    return "default"

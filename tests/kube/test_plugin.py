"""Programs that give credentials, real ones: whatever they do is credentials, or one error that names them."""

from __future__ import annotations

import asyncio
import json
import shlex
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kube.cluster import Cluster
from kube.connect import connect
from kube.errors import ClusterUnreachableError, UsageError
from kube.kinds import CONFIG_MAP
from kube.once import Once
from kube.plugin import Plugin
from tests.fakes.apiserver import running
from tests.kube.certificates import self_signed

if TYPE_CHECKING:
    from tests.fakes.apiserver import ApiServer

V1 = "client.authentication.k8s.io/v1"


def answer(**status: Any) -> str:
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})


def printing(text: str) -> str:
    return f"printf %s {shlex.quote(text)}"


def config(folder: Path, script: str, server: str = "https://127.0.0.1:1", cluster: Any = None, **more: Any) -> str:
    program = folder / "login"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    document = {
        "current-context": "a",
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": {"exec": {"apiVersion": V1, "command": "./login", **more}}}],
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def plugin(script: str, **rest: Any) -> Plugin:
    said = {"apiVersion": V1, "command": "sh", "args": ["-c", script], **rest.pop("said", {})}
    return Plugin(said, {"server": "https://s"}, **rest)


FAILURES = [
    ("echo 'log in first' >&2; exit 3", "ended with 3: log in first"),
    ("printf 'a\\033[2Jb\\nc' >&2; exit 1", r"ended with 1: a\?\[2Jb c$"),
    ("exit 1", "ended with 1: it says nothing"),
    ("kill -9 $$", "ended with -9"),
    ("true", "prints no ExecCredential but nothing"),
    ("echo nonsense; echo 'is it you?' >&2", "prints no ExecCredential but 'nonsense'; it says: is it you"),
    (f"head -c {300_000} /dev/zero | tr '\\0' '['", "prints no ExecCredential but"),
    ("yes | head -c 3000000", "prints more than 1048576 bytes"),
    ("yes >&2", "prints more than 1048576 bytes"),
    (printing("[1]"), "prints no ExecCredential with a status: list"),
    (printing('{"kind": "ExecCredential"}'), "prints no ExecCredential with a status: a map of kind"),
    (printing(answer(token="x").replace("/v1", "/v1beta1")), f"answers as .*v1beta1, and the kubeconfig asks for {V1}"),
    (printing(answer(expirationTimestamp="2030-01-01T00:00:00Z")), "without a token, or a certificate with its key"),
    (printing(answer(clientCertificateData="x")), "without a token, or a certificate with its key"),
    (printing(answer(token=3)), "without a token"),
    (printing(answer(token="x", expirationTimestamp="soon")), "expirationTimestamp that is no time: soon"),
]


@pytest.mark.parametrize(("script", "told"), FAILURES)
async def test_a_program_that_fails_is_named_with_its_words(script: str, told: str) -> None:
    with pytest.raises(ClusterUnreachableError, match=told) as caught:
        await plugin(script).credentials()
    assert str(caught.value).startswith("credentials plugin sh ")


async def test_what_it_prints_may_be_a_secret() -> None:
    with pytest.raises(ClusterUnreachableError) as caught:
        await plugin("echo eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LXNlY3JldA.sig").credentials()
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize("reader", [Cluster, Once])
async def test_both_clients_end_with_exit_code_12(tmp_path: Path, reader: type[Cluster | Once]) -> None:
    path = config(tmp_path, "echo 'token expired, run aws sso login' >&2; exit 255")
    async with await reader.open(kubeconfig=path) as cluster:
        with pytest.raises(
            ClusterUnreachableError, match=r"login ended with 255: token expired, run aws sso"
        ) as caught:
            await cluster.get(CONFIG_MAP, "a", "shop")
    assert caught.value.exit_code == 12


@pytest.mark.parametrize("reader", [Cluster, Once])
async def test_a_program_that_hangs_is_ended_with_its_children(
    tmp_path: Path, reader: type[Cluster | Once], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kube.plugin.Plugin.__init__.__defaults__", (0.5, *Plugin.__init__.__defaults__[1:]))
    path = config(tmp_path, f"sleep 1000 & echo $! > {tmp_path}/child; wait")
    async with await reader.open(kubeconfig=path) as cluster:
        with pytest.raises(ClusterUnreachableError, match=r"login gives no answer within 0.5 s"):
            await cluster.get(CONFIG_MAP, "a", "shop")
    assert await is_gone((tmp_path / "child").read_text().strip())


async def is_gone(pid: str) -> bool:
    """Whether a process ends soon."""
    for _ in range(100):
        if has_ended(pid):
            return True
        await asyncio.sleep(0.02)
    return False


def has_ended(pid: str) -> bool:
    """Whether a process has ended; one that nobody has buried yet has, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_one_that_is_missing_says_how_to_get_it(tmp_path: Path) -> None:
    path = config(tmp_path, "", command="no-such-login", installHint="brew install it\n")
    async with await Cluster.open(kubeconfig=path) as cluster:
        with pytest.raises(ClusterUnreachableError, match=r"no-such-login cannot be run: .*; brew install it$"):
            await cluster.get(CONFIG_MAP, "a", "shop")


async def test_one_that_needs_a_terminal_has_none() -> None:
    with pytest.raises(ClusterUnreachableError, match="needs a terminal"):
        await plugin("true", said={"interactiveMode": "Always"}).credentials()
    assert (await plugin(f"read x || {printing(answer(token='t'))}").credentials()).token == "t"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"command": None}, "exec.command is None"),
        ({"args": "login"}, "exec.args of .* is 'login': give a list"),
        ({"apiVersion": None}, "exec.apiVersion of .* is missing"),
    ],
)
async def test_a_kubeconfig_that_says_it_wrongly_is_named(tmp_path: Path, said: dict[str, Any], told: str) -> None:
    path = config(tmp_path, "", **said)
    with pytest.raises(UsageError, match=rf"kubeconfig {path}: {told}"):
        await connect(path)


def test_exec_that_is_no_map(tmp_path: Path) -> None:
    path = Path(config(tmp_path, ""))
    document = yaml.safe_load(path.read_text())
    document["users"][0]["user"]["exec"] = "login"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(UsageError, match="exec is 'login': give a map"):
        asyncio.run(connect(str(path)))


# ---------------------------------------------------------------------- what it gives


async def asked(server: ApiServer, path: str) -> None:
    def with_the_other() -> None:
        async def once() -> None:
            async with await Once.open(kubeconfig=path) as it:
                assert await it.find(CONFIG_MAP, "none", "shop") is None

        asyncio.run(once())

    async with await Cluster.open(kubeconfig=path) as cluster:
        assert await cluster.find(CONFIG_MAP, "none", "shop") is None
    await asyncio.to_thread(with_the_other)


async def test_its_token_is_what_both_clients_say(tmp_path: Path) -> None:
    heard: list[str | None] = []
    async with running() as server:
        known = server._fault
        server._fault = lambda request: heard.append(request.headers.get("Authorization")) or known(request)  # type: ignore[method-assign,func-returns-value]
        await asked(server, config(tmp_path, printing(answer(token="abc")), f"http://127.0.0.1:{server.port}"))
    assert heard == ["Bearer abc"] * 2


async def test_what_is_told_to_it(tmp_path: Path) -> None:
    script = f"""printf %s "$KUBERNETES_EXEC_INFO" > {tmp_path}/told; {printing(answer(token="a"))}; test "$WHO" = me"""
    (tmp_path / "ca").write_bytes(self_signed()[0])
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "us"}}
    path = config(
        tmp_path,
        script,
        cluster={"certificate-authority": "ca", "extensions": [extension]},
        env=[{"name": "WHO", "value": "me"}],
        provideClusterInfo=True,
    )
    connection = await connect(path)
    assert await connection.bearer() == "Bearer a"
    told = json.loads((tmp_path / "told").read_text())
    assert told["apiVersion"] == V1
    assert told["spec"]["interactive"] is False
    cluster = told["spec"]["cluster"]
    assert (cluster["server"], cluster["config"]) == ("https://127.0.0.1:1", {"audience": "us"})
    assert set(cluster) == {"server", "config", "certificate-authority-data"}


async def test_it_runs_again_when_what_it_gave_expires(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    stamp = (now + timedelta(seconds=100)).isoformat().replace("+00:00", "Z")
    times = [now.timestamp()]
    script = f"echo >> {tmp_path}/runs; {printing(answer(token='t', expirationTimestamp=stamp))}"
    it = plugin(script, clock=lambda: times[-1])
    runs = tmp_path / "runs"
    await asyncio.gather(*(it.credentials() for _ in range(5)))
    times.append(now.timestamp() + 89)
    await it.credentials()
    assert len(runs.read_text()) == 1
    times.append(now.timestamp() + 91)
    await it.credentials()
    assert len(runs.read_text()) == 2


async def test_whoever_stops_waiting_takes_it_from_nobody(tmp_path: Path) -> None:
    it = plugin(f"sleep 0.3; {printing(answer(token='t'))}")
    impatient, patient = asyncio.create_task(it.credentials()), asyncio.create_task(it.credentials())
    await asyncio.sleep(0.05)
    impatient.cancel()
    assert (await patient).token == "t"


async def test_a_certificate_is_shown_to_the_server(tmp_path: Path) -> None:
    """A real TLS server that takes nobody without one; the program renews it."""
    certificate, key = self_signed()
    for name, content in (("tls.crt", certificate), ("tls.key", key)):
        (tmp_path / name).write_bytes(content)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    serving.load_verify_locations(tmp_path / "tls.crt")
    serving.verify_mode = ssl.CERT_REQUIRED
    shown: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        shown.append(writer.get_extra_info("peercert"))
        body = b'{"metadata": {"name": "a"}}'
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving)
    where = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    told = answer(clientCertificateData=certificate.decode(), clientKeyData=key.decode())
    path = config(tmp_path, printing(told), where, {"insecure-skip-tls-verify": True})
    async with listening, await Cluster.open(kubeconfig=path) as cluster:
        assert (await cluster.get(CONFIG_MAP, "a", "shop"))["metadata"]["name"] == "a"
    assert shown[0]["subject"] == ((("commonName", "test"),),)


async def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    path = config(tmp_path, printing(answer(clientCertificateData="x", clientKeyData="y")))
    async with await Cluster.open(kubeconfig=path) as cluster:
        with pytest.raises(ClusterUnreachableError, match="login gives a certificate that is none"):
            await cluster.get(CONFIG_MAP, "a", "shop")


async def test_a_token_that_would_be_another_header_is_not_shown(tmp_path: Path) -> None:
    path = config(tmp_path, printing(answer(token="se\r\nX: cret")))
    for reader in (Cluster, Once):
        async with await reader.open(kubeconfig=path) as cluster:
            with pytest.raises(ClusterUnreachableError, match="the token has letters that none has") as caught:
                await cluster.get(CONFIG_MAP, "a", "shop")
        assert "cret" not in str(caught.value)


async def test_where_the_official_client_is_asked_it_does_not_go_on_without_any(tmp_path: Path) -> None:
    path = config(tmp_path, "exit 1", cluster={"tls-server-name": "x"}, interactiveMode="Never")
    with pytest.raises(ClusterUnreachableError, match="login gives no credentials; run it by hand"):
        await connect(path)


async def test_a_token_that_stands_in_the_file_wins(tmp_path: Path) -> None:
    """As with kubectl, which does not run the program then."""
    path = config(tmp_path, "exit 1")
    text = yaml.safe_load(read(path))
    text["users"][0]["user"]["token"] = "given"
    write(path, yaml.safe_dump(text))
    assert await (await connect(path)).bearer() == "Bearer given"


def read(path: str) -> str:
    return Path(path).read_text()


def write(path: str, text: str) -> None:
    Path(path).write_text(text)

"""Kubeconfigs read without the official client, and left to it where they are more than plain."""

from __future__ import annotations

import base64
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kube.connect import connect
from kube.errors import ClusterUnreachableError, ForbiddenError, NotFoundError, UsageError
from kube.kinds import CONFIG_MAP
from kube.once import Once
from kube.plain import read
from tests.fakes.apiserver import running
from tests.kube.certificates import self_signed

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> str:
    document = {
        "current-context": "a",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1/", **(cluster or {})}}],
        "users": [{"name": "u", "user": {"token": "t"} if user is None else user}],
        "contexts": [
            {"name": "a", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "b", "context": {"cluster": "c", "user": "u"}},
        ],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return str(path)


async def test_tokens(tmp_path: Path) -> None:
    found = read(write(tmp_path), None)
    assert found is not None
    assert (found.host, found.namespace, await found.bearer()) == ("https://127.0.0.1:1", "shop", "Bearer t")
    (tmp_path / "token").write_text("fresh\n")
    found = read(write(tmp_path, user={"tokenFile": "token"}), "b")
    assert found is not None
    assert (found.namespace, await found.bearer()) == ("default", "Bearer fresh")
    found = read(write(tmp_path, user={}), None)
    assert found is not None
    assert await found.bearer() is None


@pytest.mark.parametrize("form", ["data", "files"])
def test_certificates(tmp_path: Path, form: str) -> None:
    certificate, key = self_signed()
    parts = {"certificate-authority": certificate, "client-certificate": certificate, "client-key": key}
    said = {}
    for name, content in parts.items():
        (tmp_path / name).write_bytes(content)
        said |= {name: name} if form == "files" else {f"{name}-data": base64.b64encode(content).decode()}
    authority = {name: value for name, value in said.items() if name.startswith("certificate")}
    found = read(write(tmp_path, authority, {name: said[name] for name in said if name not in authority}), None)
    assert found is not None
    tls = found.tls()
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert [entry["subject"] for entry in tls.get_ca_certs()] == [((("commonName", "test"),),)]


def test_no_verification_only_when_asked(tmp_path: Path) -> None:
    found = read(write(tmp_path, {"insecure-skip-tls-verify": True}), None)
    assert found is not None
    assert found.tls().verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        ({"proxy-url": "http://proxy"}, None),
        ({"tls-server-name": "x"}, None),
        ({"server": ""}, None),
        (None, {"username": "x", "password": "y"}),
    ],
)
def test_what_is_more_than_plain(tmp_path: Path, cluster: dict[str, Any] | None, user: dict[str, Any] | None) -> None:
    assert read(write(tmp_path, cluster, user), None) is None


def test_what_cannot_be_read_is_left_to_those_who_say_why(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert read(path, "other") is None
    assert read(str(tmp_path / "nope"), None) is None
    (tmp_path / "config").write_text("{")
    assert read(path, None) is None


@pytest.mark.parametrize("cluster", [{"certificate-authority-data": "%%%"}, {"certificate-authority": "nope"}])
async def test_broken_credentials(tmp_path: Path, cluster: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="kubeconfig"):
        await connect(write(tmp_path, cluster))


async def test_reading_once(tmp_path: Path) -> None:
    """Against a server in this very loop: the reads block, so they run in a thread."""
    import asyncio

    async with running() as server:
        labels = {"app": "x"}
        meta = {"name": "a", "namespace": "shop", "labels": labels}
        server.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"k": "v"}})
        path = write(tmp_path, {"server": f"http://127.0.0.1:{server.port}"})

        async def reads() -> None:
            async with await Once.open(kubeconfig=path) as once:
                assert once.namespace == "shop"
                assert (await once.get(CONFIG_MAP, "a", "shop"))["data"] == {"k": "v"}
                assert await once.find(CONFIG_MAP, "b", "shop") is None
                assert len((await once.list(CONFIG_MAP, "shop", labels="app=x")).items) == 1
                assert (await once.list(CONFIG_MAP, labels="app=y")).items == []
                with pytest.raises(NotFoundError):
                    await once.get(CONFIG_MAP, "b", "shop")
                server.fail("GET", "configmaps/a", 403, message="no")
                with pytest.raises(ForbiddenError, match="get ConfigMap shop/a: no"):
                    await once.get(CONFIG_MAP, "a", "shop")
                server.down = True
                with pytest.raises(ClusterUnreachableError, match="no answer from http"):
                    await once.get(CONFIG_MAP, "a", "shop")

        await asyncio.to_thread(lambda: asyncio.run(reads()))


async def test_several_files_are_read_as_kubectl_reads_them(tmp_path: Path) -> None:
    """The first to say a thing is right, and paths count from the file they stand in."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority": "ca"}}
    (tmp_path / "one" / "config").write_text(yaml.safe_dump({"current-context": "b", "clusters": [cluster]}))
    both = f"{tmp_path}/one/config::{tmp_path}/none:{write(tmp_path / 'two', user={'tokenFile': 'token'})}"
    (tmp_path / "two" / "token").write_text("fresh\n")
    found = read(both, None)
    assert found is not None
    assert (found.namespace, found.cluster["certificate-authority"]) == ("default", f"{tmp_path}/one/ca")
    assert await found.bearer() == "Bearer fresh"
    (tmp_path / "two" / "config").write_text("{")
    assert read(both, None) is None

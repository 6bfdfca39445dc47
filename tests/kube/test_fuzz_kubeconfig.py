"""Whatever stands in a kubeconfig: a connection, or an error of ours that names the file."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kube.connect import Connection, connect
from kube.errors import GraylingError
from tests.rollout.anything import damaged

CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "box",
    "clusters": [{"name": "box", "cluster": {"server": "https://10.0.0.1:6443", "insecure-skip-tls-verify": True}}],
    "contexts": [{"name": "box", "context": {"cluster": "box", "user": "me", "namespace": "shop"}}],
    "users": [{"name": "me", "user": {"token": "t"}}],
}


def written(document) -> str:
    try:
        return yaml.safe_dump(document)
    except (yaml.YAMLError, ValueError):
        return "{"


def connected(file: Path) -> Connection | GraylingError:
    try:
        return asyncio.run(connect(str(file)))
    except GraylingError as error:
        return error


@given(damaged(CONFIG).map(written) | st.text(max_size=50))
@example(written(CONFIG))
@example("[" * 5_000)
@settings(max_examples=150)
def test_a_kubeconfig_is_read_or_refused(text):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        found = connected(file)
    if isinstance(found, GraylingError):
        assert str(file) in str(found)
    else:
        assert isinstance(found.host, str)
        assert isinstance(found.namespace, str)


def test_the_right_one_is_read(tmp_path):
    file = tmp_path / "config"
    file.write_text(written(CONFIG))
    found = asyncio.run(connect(str(file)))
    assert (found.host, found.namespace) == ("https://10.0.0.1:6443", "shop")

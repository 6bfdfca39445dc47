from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from kube.connect import connect, locate, sandbox_kubeconfig
from kube.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def write(path: Path, name: str = "one") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    context = {"cluster": name, "user": name, "namespace": "shop"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": name, "user": {"token": "t"}}],
        "contexts": [{"name": name, "context": context}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_nothing_to_talk_to() -> None:
    with pytest.raises(UsageError, match="grayling sandbox up"):
        locate(None, None)


def test_flag_that_leads_nowhere() -> None:
    with pytest.raises(UsageError, match="--kubeconfig /nope: no such file"):
        locate("/nope", None)


def test_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert locate(None, None) == (None, None)
    home = write(tmp_path / ".kube" / "config")
    assert locate(None, "x") == (str(home), "x")
    monkeypatch.setenv("KUBECONFIG", "/env")
    assert locate(None, None) == ("/env", None)
    box = write(sandbox_kubeconfig("dev"))
    assert locate(None, "grayling-dev") == (str(box), "grayling-dev")
    assert locate(None, "grayling-other") == ("/env", "grayling-other")
    assert locate(str(home), "c") == (str(home), "c")


def test_default_sandbox_is_the_last_resort() -> None:
    box = write(sandbox_kubeconfig("default"))
    assert locate(None, None) == (str(box), None)


async def test_reads_credentials(tmp_path: Path) -> None:
    found = await connect(str(write(tmp_path / "c")))
    assert (found.host, found.namespace, found.in_cluster) == ("https://127.0.0.1:1", "shop", False)
    assert await found.bearer() == "Bearer t"


async def test_unknown_context_and_broken_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="kubeconfig"):
        await connect(str(write(tmp_path / "c")), "other")
    (tmp_path / "bad").write_text("{}")
    with pytest.raises(UsageError, match="kubeconfig"):
        await connect(str(tmp_path / "bad"))

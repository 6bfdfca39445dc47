from pathlib import Path

import pytest

from sandbox import builds
from sandbox.errors import BuildError
from sandbox.layout import Cache, State


def test_versions_come_from_the_committed_module_files() -> None:
    assert builds.KUBERNETES.version.startswith("v1.34.")
    assert builds.CONTOUR.version.startswith("v1.33.")
    assert builds.COREDNS.version == "v1.12.4"


def test_the_version_is_stamped_into_kubernetes() -> None:
    stamp = f"k8s.io/component-base/version.gitVersion={builds.KUBERNETES.version}"
    assert any(stamp in flag for flag in builds.KUBERNETES.flags())


def test_a_program_lies_below_a_key_of_what_it_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pause").mkdir()
    for name in ("go.mod", "main.go"):
        (tmp_path / "pause" / name).write_bytes((builds.PAUSE.folder / name).read_bytes())
    original = builds.PAUSE.output(Cache(tmp_path))
    monkeypatch.setattr(builds, "TOOLCHAIN", tmp_path)
    assert builds.PAUSE.output(Cache(tmp_path)) == original
    (tmp_path / "pause" / "main.go").write_text("package main\n")
    assert builds.PAUSE.output(Cache(tmp_path)) != original


def test_a_failed_build_shows_the_compilers_last_lines_and_leaves_no_binary(tmp_path: Path) -> None:
    compiler = tmp_path / "go"
    compiler.write_text("#!/bin/sh\necho 'main.go:1: no such thing'\nexit 1\n")
    compiler.chmod(0o755)
    cache = Cache(tmp_path)
    with pytest.raises(BuildError, match="no such thing"):
        builds.build(builds.PAUSE, cache, compiler, tmp_path / "log")
    assert not builds.PAUSE.output(cache).exists()


def test_state_and_cache_follow_the_xdg_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert State.of("x").kubeconfig == tmp_path / "s/grayling/sandbox/x/kubeconfig"
    assert Cache.default().root == Path.home() / ".cache/grayling"

from pathlib import Path

import pytest

from sandbox import debian, workshop
from sandbox.errors import PackageError, RefusedError
from sandbox.layout import Cache
from sandbox.progress import Silent


def test_missing_packages_are_refused_by_name_when_installing_is_not_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "missing_packages", lambda: ["etcd-server", "runc"])
    with pytest.raises(RefusedError, match=r"etcd-server runc.*--context") as refused:
        workshop.Workshop(Cache(tmp_path), Silent(), may_install=False).install_packages()
    assert "apt-get install --no-install-recommends etcd-server runc" in str(refused.value)


def test_a_machine_without_apt_is_told_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageError, match="no apt-get"):
        debian.install(["runc"], tmp_path / "log")


def test_packages_of_absent_programs_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "HOST_PROGRAMS", {"no-such-program-here": "one", "sh": "two"})
    monkeypatch.setattr(debian, "CNI_PLUGINS", tmp_path)
    assert debian.missing_packages() == ["containernetworking-plugins", "one"]


def test_services_are_held_while_installing_and_a_machines_own_policy_is_kept(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with debian.services_held(policy):
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()
    policy.write_text("own")
    with debian.services_held(policy):
        assert policy.read_text() == "own"
    assert policy.read_text() == "own"


def test_what_a_killed_command_left_half_made_is_removed(tmp_path: Path) -> None:
    halves = ["bin/a-1/a.7.partial", "layers/x-1.7.tar", "golden/1.7.partial/file", "scratch/tmp1/file"]
    kept = ["bin/a-1/a", "layers/x-1.tar", "golden/1/file"]
    for name in (*halves, *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    workshop.Workshop(Cache(tmp_path), Silent())._sweep()
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)

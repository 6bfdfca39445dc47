"""The kubectl plugin: its manifest is one that krew takes, and its archive is unpacked and called."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.packaging.conftest import ROOT, RUNNER, bare

pytestmark = pytest.mark.timeout(900)  # packages are fetched and compiled
FILES = {"kubectl-grayling", "requirements.lock", "LICENSE", "grayling-0.1.0-py3-none-any.whl"}
RENDERS = "from components.deploy.session import render_service; from pathlib import Path; "
RENDERS += "print(len(render_service(Path('stacks/Pulumi.dev.yaml'), 'checkout')))"


def unpacked(made, place: Path) -> Path:
    with tarfile.open(made.one("kubectl-grayling-*.tar.gz")) as archive:
        archive.extractall(place, filter="data")
    return place


@pytest.fixture(scope="module")
def plugin(made, tmp_path_factory):
    """Unpacked as krew does it, called by a link, its cache in a folder of its own."""
    place = tmp_path_factory.mktemp("plugin")
    store = unpacked(made, place / "store")
    (place / "bin").mkdir()
    (place / "bin" / "kubectl-grayling").symlink_to(store / "kubectl-grayling")
    return place


def call(program: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [program, *arguments],
        env={**bare(), "PATH": path, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_manifest_says_what_krew_needs(made):
    text = made.one("grayling.yaml").read_text()
    found = yaml.safe_load(text)
    assert (found["apiVersion"], found["kind"]) == ("krew.googlecontainertools.github.com/v1alpha2", "Plugin")
    assert re.fullmatch(r"[\w-]+", found["metadata"]["name"])
    spec = found["spec"]
    assert spec["version"] == "v0.1.0"
    assert 0 < len(spec["shortDescription"]) <= 50
    assert "\n" not in spec["shortDescription"]
    [platform] = spec["platforms"]
    archive = made.one("kubectl-grayling-*.tar.gz")
    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    address = f"{RUNNER['GITHUB_SERVER_URL']}/{RUNNER['GITHUB_REPOSITORY']}/releases/download/v0.1.0/{archive.name}"
    assert platform["uri"] == address
    assert platform["bin"] == "kubectl-grayling"
    assert platform.keys() <= {"uri", "sha256", "bin", "files", "selector"}
    [selector] = platform["selector"]["matchExpressions"]
    assert selector == {"key": "os", "operator": "In", "values": ["linux", "darwin"]}
    assert "files" not in platform  # the whole archive


def test_the_archive_is_small_and_the_same_each_time(made, tmp_path):
    store = unpacked(made, tmp_path)
    assert {path.name for path in store.iterdir()} == FILES
    assert os.access(store / "kubectl-grayling", os.X_OK)
    assert (store / "requirements.lock").read_text() == (ROOT / "requirements-plugin.lock").read_text()
    with tarfile.open(made.one("kubectl-grayling-*.tar.gz")) as archive:
        assert {(entry.uid, entry.mtime) for entry in archive} == {(0, 1_700_000_000)}


def test_it_installs_itself_once_and_is_the_release_group(plugin):
    program, cache = plugin / "bin" / "kubectl-grayling", str(plugin / "cache")
    first = call(program, "--help", XDG_CACHE_HOME=cache)
    assert first.returncode == 0, first.stderr
    assert "the first call installs its packages" in first.stderr
    assert first.stdout.startswith("Usage: kubectl grayling [OPTIONS] COMMAND")

    again = call(program, "crd", "grayreleases", XDG_CACHE_HOME=cache)
    assert again.stderr == ""
    assert again.stdout == (ROOT / "manifests" / "crds" / "grayreleases.yaml").read_text()
    assert call(program, "no-such-verb", XDG_CACHE_HOME=cache).returncode == 2

    [environment] = (plugin / "cache" / "kubectl-grayling").iterdir()
    python = environment / "bin" / "python"
    done = subprocess.run([python, "-I", "-c", RENDERS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert int(done.stdout) > 1, done.stderr  # `start --stack` has all it needs


def test_a_package_with_another_hash_is_not_installed_and_nothing_is_left(made, tmp_path):
    store = unpacked(made, tmp_path / "store")
    lock = store / "requirements.lock"
    lock.write_text(re.sub(r"--hash=sha256:[0-9a-f]{64}", f"--hash=sha256:{'0' * 64}", lock.read_text()))
    killed = tmp_path / "cache" / "kubectl-grayling" / ".making-before"
    killed.mkdir(parents=True)
    os.utime(killed, (0, 0))
    done = call(store / "kubectl-grayling", "--help", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 1
    assert "kubectl grayling: its packages cannot be installed. It needs Python's venv module" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "cache" / "kubectl-grayling").iterdir()) == []


@pytest.mark.parametrize("missing", ["requirements.lock", "grayling-0.1.0-py3-none-any.whl"])
def test_an_archive_that_lacks_a_file_says_so(made, tmp_path, missing):
    store = unpacked(made, tmp_path / "store")
    (store / missing).unlink()
    done = call(store / "kubectl-grayling", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 1
    assert "is not complete; install the plugin again" in done.stderr


def test_an_old_python_is_told_what_is_needed():
    script = ROOT / "packaging" / "krew" / "kubectl-grayling"
    old = f"import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path({str(script)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", old], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "kubectl grayling: needs Python 3.11 to 3.14 as python3; this is 3.9\n"


def test_a_cache_that_cannot_be_written_is_named(made, tmp_path):
    store = unpacked(made, tmp_path / "store")
    (tmp_path / "file").write_text("")
    done = call(store / "kubectl-grayling", XDG_CACHE_HOME=str(tmp_path / "file"))
    assert done.returncode == 1
    assert re.search(r"cannot write .*file/kubectl-grayling/.*: Not a directory; XDG_CACHE_HOME", done.stderr)


def test_it_asks_for_the_versions_of_python_that_the_project_is_for():
    text = (ROOT / "packaging" / "krew" / "kubectl-grayling").read_text()
    [wanted] = re.findall(r'^requires-python = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert wanted == ">=3.11,<3.15"
    assert "OLDEST, NEWEST = (3, 11), (3, 14)" in text

"""What a release consists of is made, held against its sources, and installed."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from components.deploy.installation import declared
from kube.errors import UsageError
from sandbox import pypi
from sandbox.layout import Cache
from sandbox.workshop import ENGINE_PARTS
from tests.packaging.conftest import IMAGE, ROOT, bare

pytestmark = pytest.mark.timeout(900)  # packages are fetched
SCRIPT = ROOT / "packaging" / "release.py"


def release(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_it_has_these_files_and_no_other(made):
    names = {path.name for path in made.folder.iterdir()}
    assert names == {
        "grayling-0.1.0-py3-none-any.whl",
        "grayling-0.1.0.tar.gz",
        "grayling-0.1.0.tgz",
        "grayling-0.1.0.yaml",
        "grayling-0.1.0.cdx.json",
        "kubectl-grayling-0.1.0.tar.gz",
        "grayling.yaml",
        "SHA256SUMS",
    }


def test_its_checksums_are_those_of_its_files(made):
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=made.folder, check=True, capture_output=True)
    summed = {line.split()[1] for line in (made.folder / "SHA256SUMS").read_text().splitlines()}
    assert summed == {path.name for path in made.folder.iterdir()} - {"SHA256SUMS"}


def tracked(*parts: str) -> set[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *parts]
    return set(subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())


def test_the_wheel_has_every_file_of_every_room(made):
    with zipfile.ZipFile(made.one("*.whl")) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == tracked(*ENGINE_PARTS, "sandbox")


@pytest.fixture(scope="module")
def installed(made, tmp_path_factory) -> Path:
    """The wheel in an environment of its own, with the packages that the lock names."""
    place = tmp_path_factory.mktemp("installed")
    uv = str(pypi.uv(Cache.default()))
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place / "venv"], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", place / "venv/bin/python"]
    subprocess.run([*install, made.one("*.whl"), "-c", ROOT / "requirements-dev.lock"], check=True, env=bare())
    return place / "venv" / "bin"


def said(installed: Path, *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [installed / "grayling", *arguments], cwd=cwd, env=bare(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_installed_from_it_has_every_room(installed, tmp_path):
    assert said(installed, "--version", cwd=tmp_path) == "grayling 0.1.0\n"
    rooms = said(installed, "--help", cwd=tmp_path)
    for room in ("stack", "release", "sandbox"):
        assert re.search(rf"^  {room} ", rooms, re.MULTILINE)
        assert "Commands:" in said(installed, room, "--help", cwd=tmp_path)
    written = (ROOT / "manifests/crds/grayreleases.yaml").read_text()
    assert said(installed, "release", "crd", "grayreleases", cwd=tmp_path) == written


def test_what_is_installed_from_it_renders_what_the_checkout_renders(installed, project):
    golden = subprocess.run(
        [Path(sys.executable).parent / "grayling", "stack", "render", "prod"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said(installed, "stack", "render", "prod", cwd=project) == golden.stdout


def test_the_source_archive_makes_the_same_wheel(made, tmp_path):
    with tarfile.open(made.one("grayling-0.1.0.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    [source] = tmp_path.iterdir()
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "out"]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    [again] = (tmp_path / "out").glob("*.whl")
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(made.one("*.whl").read_bytes()).digest()


def test_the_chart_has_the_image_of_the_release(made, helm):
    done = subprocess.run(
        [helm, "template", "main", made.one("*.tgz")], capture_output=True, text=True, check=True
    ).stdout
    [image] = re.findall(r"image: (.+)", done)
    assert yaml.safe_load(image) == IMAGE


def test_the_plain_manifests_have_it_too(made):
    found = list(yaml.safe_load_all(made.one("grayling-0.1.0.yaml").read_text()))
    wanted = declared({"image": IMAGE, "replicas": 2}, namespace="grayling", stack="install")
    assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, wanted))


def test_the_bill_of_materials_is_what_the_lock_of_the_image_says(made):
    text = made.one("*.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert (bill["metadata"]["component"]["name"], bill["metadata"]["component"]["version"]) == ("grayling", "0.1.0")
    listed = {(each["name"].lower().replace("_", "-"), each["version"]) for each in bill["components"]}
    lock = (ROOT / "requirements-engine.lock").read_text()
    locked = {(name.lower(), version) for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)}
    conditional = {name.lower() for name in re.findall(r"^([\w.-]+)==[^\n]*;", lock, re.MULTILINE)}
    assert listed <= locked
    assert {name for name, _ in locked - listed} <= conditional
    assert all(each["purl"].startswith("pkg:pypi/") for each in bill["components"])
    assert str(ROOT) not in text


REFUSED = {
    "tag 'v9.9.9' is not v0.1.0, the version in pyproject.toml": ["check", "v9.9.9"],
    "has no digest; a release names its image by one": ["chart", "--image", "registry.example.com/grayling:1"],
    "is no image reference": ["chart", "--image", "GRAYLING"],
    "is not there; run `dist` with the same --out first": ["plugin", "--url", "https://example.com"],
    "is not empty; a release is made of nothing that lay there before": ["all", "--image", IMAGE, "--url", "x"],
}


@pytest.mark.parametrize(("words", "arguments"), REFUSED.items(), ids=REFUSED)
def test_what_would_make_a_wrong_release_is_refused(words, arguments, tmp_path):
    (tmp_path / "old").write_text("")
    out = [] if arguments[0] == "check" else ["--out", str(tmp_path)]
    done = release(*arguments, *out)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


CHANGES = """# Changelog

## [Unreleased]
### Added
- What comes next.

## [0.2.0] - 2027-01-01

## [0.1.0] - 2026-12-01
### Added
- A first thing.

### Fixed
- Another.
"""


def test_notes_are_the_section_of_the_version_and_one_without_is_refused():
    notes_of = runpy.run_path(str(SCRIPT))["notes_of"]
    assert notes_of("0.1.0", CHANGES) == "### Added\n- A first thing.\n\n### Fixed\n- Another."
    for silent in ("0.2.0", "0.3.0"):
        with pytest.raises(UsageError, match=rf"CHANGELOG.md has no section \[{silent}\]; write what changed"):
            notes_of(silent, CHANGES)

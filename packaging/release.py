"""What a release consists of, made into one folder: the release workflow and the tests call the same commands.

python packaging/release.py all --image REF@sha256:… --url URL    (`make release`)
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from components.deploy.installation import write
from components.model.images import split
from kube.errors import GraylingError, UsageError
from sandbox import builds, pypi
from sandbox.layout import Cache
from terminal.exits import Session, run

KREW = ROOT / "packaging" / "krew"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION = PROJECT["version"]
CHANGES = ROOT / "CHANGELOG.md"
ENGINE_LOCK = ROOT / "requirements-engine.lock"
EPOCH = 1_700_000_000
SUMS = "SHA256SUMS"

output = click.option("--out", type=click.Path(path_type=Path), default=ROOT / "dist", help="Folder to write to.")


@click.group()
def cli() -> None:
    """Make the parts of a release."""


@cli.command()
@click.argument("tag")
def check(tag: str) -> None:
    """Refuse a tag that is not this version's, or of which the changelog says nothing."""
    if tag != f"v{VERSION}":
        raise UsageError(f"tag {tag!r} is not v{VERSION}, the version in pyproject.toml; change one of the two")
    notes_of(VERSION, CHANGES.read_text())


@cli.command()
def notes() -> None:
    """Print what the changelog says of this version."""
    click.echo(notes_of(VERSION, CHANGES.read_text()))


def notes_of(version: str, text: str) -> str:
    """The section of a version in a changelog."""
    found = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None or not found[1].strip():
        raise UsageError(f"CHANGELOG.md has no section [{version}]; write what changed, under its date")
    return found[1].strip()


@cli.command()
@output
def dist(out: Path) -> None:
    """Source archive and wheel, by the build backend that the lock holds."""
    _call([sys.executable, "-m", "hatchling", "build", "-d", str(out)])


@cli.command()
@output
@click.option("--image", required=True, help="The engine's image, by its digest.")
def chart(out: Path, image: str) -> None:
    """The chart and the plain manifests, with the image of this release in them."""
    by_digest(image)
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        write(Path(scratch), image)
        _call([helm(), "package", f"{scratch}/charts/grayling", "--destination", str(out)])
        texts = [Path(scratch, "install", name).read_text() for name in ("definitions.yaml", "controller.yaml")]
    (out / f"grayling-{VERSION}.yaml").write_text("---\n".join(texts))


def by_digest(image: str) -> None:
    """Nothing, if the image is named by its digest."""
    try:
        digest = split(image)[2]
    except ValueError as error:
        raise UsageError(f"--image: {image!r} {error}") from None
    if not digest:
        raise UsageError(f"--image: {image!r} has no digest; a release names its image by one, name:tag@sha256:…")


def helm() -> str:
    """Helm as the toolchain pins it, compiled at the first call."""
    cache = Cache.default()
    cache.root.mkdir(parents=True, exist_ok=True)
    return str(builds.build(builds.HELM, cache, pypi.go(cache), cache.root / "helm.log"))


@cli.command()
@output
@click.option("--url", required=True, help="Where the files of this release will be.")
def plugin(out: Path, url: str) -> None:
    """The archive of the kubectl plugin, and its manifest for krew."""
    wheel = out / f"grayling-{VERSION}-py3-none-any.whl"
    if not wheel.exists():
        raise UsageError(f"{wheel}: is not there; run `dist` with the same --out first")
    archive = out / f"kubectl-grayling-{VERSION}.tar.gz"
    _pack(
        archive,
        {
            "kubectl-grayling": (KREW / "kubectl-grayling", 0o755),
            "requirements.lock": (ROOT / "requirements-plugin.lock", 0o644),
            "LICENSE": (ROOT / "LICENSE", 0o644),
            wheel.name: (wheel, 0o644),
        },
    )
    text = (KREW / "grayling.yaml").read_text().partition("\n")[2]
    known = {"VERSION": VERSION, "SHA256": _digest(archive), "URI": f"{url.rstrip('/')}/{archive.name}"}
    (out / "grayling.yaml").write_text(re.sub("VERSION|SHA256|URI", lambda found: known[found[0]], text))


def _pack(archive: Path, files: dict[str, tuple[Path, int]]) -> None:
    """The same bytes for the same files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, (source, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = source.stat().st_size, mode, EPOCH
            with source.open("rb") as content:
                tar.addfile(entry, content)
    archive.write_bytes(gzip.compress(packed.getvalue(), mtime=EPOCH))


@cli.command()
@output
def sbom(out: Path) -> None:
    """What the engine's image has in it, as CycloneDX; held against its schema."""
    out.mkdir(parents=True, exist_ok=True)
    uv, beside = str(pypi.uv(Cache.default())), Path(sys.executable).parent
    with TemporaryDirectory() as scratch:
        _call([uv, "venv", "--quiet", "--python", sys.executable, scratch])
        python = f"{scratch}/bin/python"
        _call([uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(ENGINE_LOCK)])
        command = [str(beside / "cyclonedx-py"), "environment", python, "--pyproject", str(ROOT / "pyproject.toml")]
        command += ["--validate", "--output-reproducible", "--output-file", str(out / f"grayling-{VERSION}.cdx.json")]
        _call(command)


@cli.command()
@output
def checksums(out: Path) -> None:
    """SHA-256 of every file of the release."""
    names = sorted(path.name for path in out.iterdir() if path.is_file() and path.name not in {SUMS, ".gitignore"})
    (out / SUMS).write_text("".join(f"{_digest(out / name)}  {name}\n" for name in names))


@cli.command("all")
@output
@click.option("--image", required=True, help="The engine's image, by its digest.")
@click.option("--url", required=True, help="Where the files of this release will be.")
@click.pass_context
def everything(ctx: click.Context, out: Path, image: str, url: str) -> None:
    """All files of a release, in an empty folder."""
    by_digest(image)
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"--out: {out} is not empty; a release is made of nothing that lay there before")
    ctx.invoke(dist, out=out)
    ctx.invoke(chart, out=out, image=image)
    ctx.invoke(plugin, out=out, url=url)
    ctx.invoke(sbom, out=out)
    ctx.invoke(checksums, out=out)
    click.echo((out / SUMS).read_text(), nl=False)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _call(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise GraylingError(f"`{Path(command[0]).name} {' '.join(command[1:4])} …` failed:\n{tail}")


if __name__ == "__main__":
    sys.exit(run(cli, None, prog_name="release.py", session=Session()))

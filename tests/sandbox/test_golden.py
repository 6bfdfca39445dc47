"""A box's own store is whole, whatever a process that was killed still writes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from sandbox.golden import link, make, use

ROOT = Path(__file__).parents[2]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_copy_that_outlives_its_process_writes_into_no_other_store(tmp_path, monkeypatch):
    source, target, programs = tmp_path / "golden", tmp_path / "box" / "containerd", tmp_path / "bin"
    (source / "metadata").mkdir(parents=True)
    (source / "metadata" / "meta.db").write_text("all layers")
    (source / "metadata" / "layer").write_text("a layer")
    programs.mkdir()
    slow = programs / "cp"
    slow.write_text('#!/bin/sh\nsleep 0.7; exec /bin/cp "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    code = "import sys; from pathlib import Path; from sandbox.golden import link; link(*map(Path, sys.argv[1:]))"
    killed = subprocess.Popen([sys.executable, "-c", code, str(source), str(target)], cwd=ROOT)
    time.sleep(0.4)
    killed.kill()
    killed.wait()
    link(source, target)
    time.sleep(0.8)
    assert files(target) == files(source)
    database = target / "metadata" / "meta.db"
    assert database.stat().st_ino != (source / "metadata" / "meta.db").stat().st_ino, "it is written in place"
    assert (target / "metadata" / "layer").stat().st_ino == (source / "metadata" / "layer").stat().st_ino


def test_a_store_that_another_version_may_be_about_to_use_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("sandbox.golden._unpack", lambda root, *_: root.mkdir())
    recent, old = tmp_path / "recent", tmp_path / "old"
    for store in (recent, old):
        store.mkdir()
        os.utime(store, (0, 0))
    use(recent)
    make(tmp_path / "new", (), tmp_path / "log")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["new", "recent"]

"""A file that is edited keeps its mode and its links, and loses nothing to a kill or to others who edit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from components.model.mistakes import StackError
from components.stack.edits import edited, with_value
from components.stack.versions import set_image
from tests.components.conftest import ROOT
from tests.components.stack.edits import HEAD, NEW, OLD

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stack(project) -> Path:
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_text(f"{HEAD}    checkout:\n      image: {OLD}\n")
    return path


def test_mode_and_symbolic_links_stay(stack, tmp_path):
    stack.chmod(0o640)
    link = stack.with_name("Pulumi.link.yaml")
    link.symlink_to(stack.name)
    set_image(link, "checkout", NEW)
    assert link.is_symlink()
    assert NEW in stack.read_text()
    assert stack.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in stack.parent.iterdir()) == [link.name, stack.name]


def test_hard_links_are_not_parted(stack, tmp_path):
    os.link(stack, tmp_path / "other")
    with pytest.raises(StackError, match="has hard links, which replacing it would part; use symbolic ones"):
        set_image(stack, "checkout", NEW)


def test_a_change_by_somebody_else_meanwhile_is_not_lost(stack):
    def change(document):
        stack.write_text(document.text + "# theirs\n")
        return with_value(document, ("config", "grayling:services", "checkout", "image"), NEW)

    with pytest.raises(StackError, match="was changed by somebody else meanwhile; try again"):
        edited(stack, "f", change)
    assert stack.read_text().endswith(f"{OLD}\n# theirs\n")
    assert [path.name for path in stack.parent.iterdir()] == [stack.name]


def test_many_at_once_lose_nothing(stack):
    names = [f"s{index}" for index in range(8)]
    stack.write_text(HEAD + "".join(f"    {name}: {{image: {OLD}}}\n" for name in names))
    failed: list[BaseException] = []

    def work(name: str) -> None:
        try:
            set_image(stack, name, NEW)
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert stack.read_text() == HEAD + "".join(f"    {name}: {{image: {NEW}}}\n" for name in names)


def test_processes_at_once_lose_nothing(stack):
    names = [f"s{index}" for index in range(4)]
    stack.write_text(HEAD + "".join(f"    {name}: {{image: {OLD}}}\n" for name in names))
    code = "import sys; from components.stack.versions import set_image; set_image(*sys.argv[1:])"
    started = [subprocess.Popen([sys.executable, "-c", code, str(stack), name, NEW], cwd=ROOT) for name in names]
    assert [each.wait() for each in started] == [0] * len(names)
    assert stack.read_text().count(NEW) == len(names)


def test_a_kill_before_the_end_leaves_the_file_whole(stack):
    before = stack.read_bytes()
    code = (
        "import os, sys, pathlib; from components.stack import edits, versions\n"
        "edits.os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        "versions.set_image(*sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(stack), "checkout", NEW], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert stack.read_bytes() == before
    assert set_image(stack, "checkout", NEW)


def test_a_file_that_cannot_be_written(stack):
    longest = stack.rename(stack.with_name(f"Pulumi.{'x' * 240}.yaml"))
    with pytest.raises(StackError, match="cannot be written: File name too long; mind its folder"):
        edited(
            longest,
            longest.name,
            lambda document: with_value(document, ("config", "grayling:services", "checkout", "image"), NEW),
        )

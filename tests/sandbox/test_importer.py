from pathlib import Path

import pytest

from sandbox import archive
from sandbox.errors import ImageError
from sandbox.importer import Importer
from tests.sandbox.test_archive import layer

CTR = """#!/bin/sh
case "$*" in
  *"content ls"*) echo {known} ;;
  *import*) echo try >> {log}; cat > {log}.$(wc -l < {log})
    [ $(wc -l < {log}) -gt {fails} ] || {{ echo "blob not found" >&2; exit 1; }} ;;
esac
"""


def containerd(folder: Path, known: str, fails: int) -> tuple[Importer, Path]:
    """An importer that knows one blob and refuses so many imports."""
    script, log = folder / "enter", folder / "log"
    script.write_text(CTR.format(known=known, log=log, fails=fails))
    script.chmod(0o755)
    return Importer("unused", (str(script),)), log


@pytest.mark.parametrize("fails", [0, 1, 3])
def test_everything_is_sent_where_containerd_lost_what_it_listed(tmp_path: Path, fails: int) -> None:
    one = layer(tmp_path, "one", "1" * 50_000)
    image = archive.Image("a.dev/x:1", (one,), ("/x",))
    importer, log = containerd(tmp_path, one.digest, fails)
    importer.load([image])
    sizes = [Path(f"{log}.{number}").stat().st_size for number in range(1, fails + 2)]
    assert sizes[0] < 50_000, "what containerd lists is left out"
    assert all(size > 50_000 for size in sizes[1:])
    assert len(log.read_text().splitlines()) == fails + 1


def test_refused_again_and_again_it_is_an_error_with_the_reason(tmp_path: Path) -> None:
    one = layer(tmp_path, "one", "1")
    importer, _ = containerd(tmp_path, one.digest, 9)
    with pytest.raises(ImageError, match="blob not found"):
        importer.load([archive.Image("a.dev/x:1", (one,), ("/x",))])

"""`release replay`."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from errno import EFBIG
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from terminal.numbers import PROBABILITY
from terminal.output import data_writers, emit, output_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rollout.judge import JudgePolicy
    from rollout.records.recording import Recording
    from terminal.output import Wanted

SUFFIXES = (".jsonl", ".jsonl.gz")
TOGETHER_BYTES = 10_000_000
"""So much of files is read and judged side by side; in memory it is several times as much. Less than that is judged
sooner than other processes start."""

GZIP = b"\x1f\x8b"
"""How a file in gzip begins."""

MOST_READ = 500_000_000
"""Characters of one file."""


alpha_option = click.option(
    "--alpha",
    type=PROBABILITY,
    help="Rate of false rollbacks, instead of the policy's.",
)
policy_option = click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="YAML with the `analysis` of a GrayRelease, or with the whole of it; else what the recording holds is judged.",
)


@click.command()
@click.argument("paths", metavar="FILE|DIR...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@alpha_option
@policy_option
@output_option("text", "json", "yaml")
def replay(*, paths: Sequence[Path], alpha: float | None, policy_file: Path | None, wanted: list[Wanted]) -> None:
    """Judge recordings again: verdict, when, by what, and the numbers. Of a folder, every *.jsonl and *.jsonl.gz."""
    policy = policy_in(policy_file) if policy_file else None
    files = list(_files(paths))
    rows = [{"file": str(file), **found} for file, found in zip(files, _judged(files, policy, alpha), strict=True)]
    for row in rows:
        if row["remarks"]:
            click.echo(f"{row['file']}: {row['remarks']}", err=True)
    emit(wanted, {**data_writers(lambda: rows), "text": lambda: table(rows, ("file",))})


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """Every recording under the paths.

    Raises:
        UsageError: a folder holds none.
    """
    from kube.errors import UsageError

    for path in paths:
        found = sorted(each for each in path.iterdir() if each.name.endswith(SUFFIXES)) if path.is_dir() else [path]
        if not found:
            raise UsageError(f"{path}: no recording in it; recordings end in {' or '.join(SUFFIXES)}")
        yield from found


def _judged(files: Sequence[Path], policy: JudgePolicy | None, alpha: float | None) -> Iterator[dict[str, Any]]:
    """What the judge says of each file, on all processors where there is much to judge.

    Raises:
        UsageError: a file is no recording, or lacks what the policy wants.
    """
    from functools import partial
    from os import cpu_count

    together = partial(_together, policy=policy, alpha=alpha)
    if len(files) == 1 or sum(map(_size_of, files)) <= TOGETHER_BYTES:
        yield from together(files)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    processes = cpu_count() or 1
    with ProcessPoolExecutor(processes, mp_context=get_context("forkserver")) as pool:
        for told in pool.map(together, _portions(files, -(-len(files) // processes))):
            yield from told


def _portions(files: Sequence[Path], most: int) -> Iterator[list[Path]]:
    """Files that are judged side by side: so many at most, and not too much of them; in their order."""
    portion: list[Path] = []
    size = 0
    for file in files:
        its = _size_of(file)
        if portion and (len(portion) == most or size + its > TOGETHER_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(file)
        size += its
    if portion:
        yield portion


def _size_of(file: Path) -> int:
    """In bytes; 0 of what is gone, or a link to nothing, which is told when it is read."""
    return file.stat().st_size if file.exists() else 0


def _together(files: Sequence[Path], policy: JudgePolicy | None, alpha: float | None) -> list[dict[str, Any]]:
    return judged([(str(file), read_recording(file)) for file in files], policy, alpha)


def read_recording(file: Path) -> Recording:
    """The recording in a file, which may be in gzip.

    Raises:
        UsageError: it is none, or cannot be read.
    """
    from gzip import BadGzipFile
    from zlib import error as DeflateError  # noqa: N812 - it is called `error` there

    from kube.errors import UsageError

    try:
        with _opened(file) as lines:
            return recording_in(_bounded(lines), str(file))
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: {error}; a recording is text in UTF-8, or that in gzip") from error
    except (BadGzipFile, EOFError, DeflateError) as error:
        raise UsageError(f"{file}: damaged gzip ({error}); copy it anew") from error
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    """The text of a file, which may be in gzip whatever it is called."""
    from gzip import GzipFile
    from io import TextIOWrapper

    with file.open("rb") as plain:
        packed = plain.peek(len(GZIP))[: len(GZIP)] == GZIP
        yield TextIOWrapper(GzipFile(fileobj=plain) if packed else plain, encoding="utf-8-sig")


def _bounded(file: TextIO) -> Iterator[str]:
    """The lines of a file that may be anything: a line without end, or one of a device, is not read on.

    Raises:
        OSError: it has more than a recording can have.
    """
    from rollout.records.fields import MOST_CHARACTERS

    left = MOST_READ
    while line := file.readline(MOST_CHARACTERS + 1):
        left -= len(line)
        if left < 0:
            raise OSError(EFBIG, f"more than {MOST_READ:,} characters; no recording has so many")
        yield line


def recording_in(lines: Iterable[str], what: str) -> Recording:
    """The recording that lines tell.

    Raises:
        UsageError: they tell none; ``what`` says whose they are.
    """
    from kube.errors import UsageError
    from rollout.records.recording import RecordingError, parse

    try:
        return parse(lines)
    except RecordingError as error:
        raise UsageError(f"{what}: {error}") from error


def judged(
    recordings: Sequence[tuple[str, Recording]], policy: JudgePolicy | None, alpha: float | None
) -> list[dict[str, Any]]:
    """What the judge says of each recording, as plain data.

    Args:
        recordings: each with what an error calls it.
        policy: None takes the one that was recorded with it, or one for what it holds.
        alpha: replaces the policy's false-rollback rate.

    Raises:
        UsageError: the policy of a recording is none.
    """
    from rollout.judge.replay import replays

    policies = [
        _policy_of(dict(each.analysis), f"{what}: line 1") if policy is None and each.analysis else policy
        for what, each in recordings
    ]
    found = replays([each for _, each in recordings], policies, alpha=alpha)
    plain: list[dict[str, Any]] = json.loads(json.dumps([asdict(each) for each in found]))
    return plain


def policy_in(file: Path) -> JudgePolicy:
    """The policy in a file.

    Raises:
        UsageError: it is no YAML, or no analysis.
    """
    from kube.documents import documents
    from kube.errors import UsageError

    found = documents(file)
    if len(found) != 1:
        raise UsageError(f"{file}: holds {len(found)} documents; give one with the analysis")
    return _policy_of(_inner(found[0]), str(file))


def _inner(found: Any) -> Any:
    for key in ("spec", "analysis"):
        found = found[key] if isinstance(found, dict) and key in found else found
    return found


def _policy_of(found: Any, where: str) -> JudgePolicy:
    """The policy of an `analysis`.

    Raises:
        UsageError: it is none, or names no signal; ``where`` says where it stands.
    """
    from pydantic import ValidationError

    from kube.errors import UsageError
    from rollout.api.spec import Analysis
    from rollout.judge.from_spec import judge_policy_of
    from rollout.records.fields import short

    try:
        analysis = Analysis.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: analysis.{key}: {first['msg']}, found {short(first['input'])}") from error
    if not analysis.signals:
        raise UsageError(f"{where}: analysis.signals: there must be one to judge by, found none")
    return judge_policy_of(analysis)


def table(replays: Sequence[dict[str, Any]], keys: Sequence[str]) -> str:
    """Replays as lines; ``keys`` are those that say which one each is."""
    from rollout.api.durations import about
    from rollout.view.text import coloured, columns
    from rollout.view.words import ABSENT, clipped, number, ratio

    rows = [[*(key.upper() for key in keys), "VERDICT", "AT", "CULPRITS", "LN E", "CANARY / STABLE", "REASON"]]
    for each in replays:
        at = ABSENT if each["at"] is None else about(each["at"])
        ratios = [f"{one['signal']} {ratio(one['ratio_low'], one['ratio_high'])}" for one in each["signals"]]
        row = [*(coloured(each[key]) for key in keys), coloured(each["verdict"]), at]
        row.append(", ".join(each["culprits"]) or ABSENT)
        rows.append([*row, number(each["log_e"]), ", ".join(ratios), clipped(each["reason"], 80)])
    return "\n".join(columns(rows)) + "\n"

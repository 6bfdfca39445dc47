"""`ci comment`: one comment on a pull or merge request, found by a hidden mark and edited in place."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import click

from kube.errors import UsageError


@click.command()
@click.option("--host", type=click.Choice(["github", "gitlab"]), required=True, help="Where the repository is.")
@click.option("--file", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Markdown: what it says.")
@click.option("--marker", required=True, metavar="STACK", help="Which comment: one for each name.")
@click.option("--number", type=click.IntRange(1), help="Of the pull or merge request; else the job's own.")
def comment(*, host: str, file: Path, marker: str, number: int | None) -> None:
    """Keep one comment on a pull or merge request: write it, or edit the one that is there.

    The token is read from GITHUB_TOKEN or GITLAB_TOKEN, the rest from the variables that the host gives each job.
    """
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", marker) is None:
        raise UsageError(f"--marker {marker!r}: write a name of letters, digits, - and .")
    mark = f"<!-- grayling: {marker} -->"
    body = _body(file, mark, host)
    click.echo(f"comment {asyncio.run(_kept(host, number, mark, body))}: {marker}")


def _body(file: Path, mark: str, host: str) -> str:
    from review.ci import github, gitlab
    from review.ci.errors import HostError

    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--file {file}: {getattr(error, 'strerror', None) or error}: give a report in UTF-8"
        ) from error
    if not text:
        raise UsageError(f"--file {file}: it is empty: give a report")
    body = f"{mark}\n{text}"
    long, most = len(body.encode("utf-16-le")) // 2, {"github": github, "gitlab": gitlab}[host].LONGEST
    if long > most:
        raise HostError(
            f"{file}: {long} characters with the mark, and {host} takes {most}: "
            "write the report with `grayling review preview -o markdown=…`, which is cut between objects"
        )
    return body


async def _kept(host: str, number: int | None, mark: str, body: str) -> str:
    from review.ci.forge import connected, keep
    from review.ci.github import GitHub
    from review.ci.gitlab import GitLab

    async with connected() as session:
        kind = GitHub if host == "github" else GitLab
        return await keep(kind.of(os.environ, session, number), mark, body)

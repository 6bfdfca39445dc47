"""`release run` and `release controller`: the same loop, for one release in the foreground or for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING, Any, TextIO

import click

from rollout.cli.options import Where, cluster_options, duration, release_name
from rollout.cli.watch import UNTIL
from terminal.output import output_option

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, MutableMapping

    from kube.cluster import Cluster
    from rollout.client.ending import Ending
    from terminal.output import Wanted

LINGER_SECONDS = 30.0
MOST_LOGGED = 2000
LEVELS = ["debug", "info", "warning", "error"]


def engine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--identity``, ``--log-level`` and ``--log-format``."""
    level = click.option(
        "--log-level", type=click.Choice(LEVELS), envvar="GRAYLING_LOG_LEVEL", help="Least level logged."
    )
    identity = click.option(
        "--identity", envvar="POD_NAME", default=_identity, help="Name in leases; unique per process."
    )
    form = click.option(
        "--log-format",
        type=click.Choice(["console", "json"]),
        envvar="GRAYLING_LOG_FORMAT",
        default="console",
        show_default=True,
        help="Form of the log on stderr.",
    )
    return identity(level(form(function)))


def _identity() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


@click.command("run")
@release_name
@cluster_options
@engine_options
@click.option("--timeout", callback=duration, default="1h", show_default=True, help="Stop after this long (exit 10).")
@UNTIL
@output_option("text", "json", "yaml", "markdown")
def run_release(
    *,
    name: str,
    where: Where,
    identity: str,
    log_level: str | None,
    log_format: str,
    timeout: float,
    until: str,
    wanted: list[Wanted],
) -> int:
    """Carry out one release from here, without a controller; the exit code is that of `release watch`."""
    configure_logs(log_format, log_level or "warning")
    return asyncio.run(_run(where, name, identity, timeout, baked=until == "ended", wanted=wanted))


async def _run(
    where: Where, name: str, identity: str, timeout_seconds: float, *, baked: bool, wanted: list[Wanted]
) -> int:
    from rollout.cli.watch import conclude, wait_for, what_is_desired
    from rollout.engine.run import run_foreground

    async with where.open() as (cluster, namespace):
        awaited = await what_is_desired(cluster, namespace, name, baked=baked)
        engine = asyncio.create_task(run_foreground(cluster, namespace, name, identity=identity))
        waiting = asyncio.create_task(wait_for(cluster, namespace, name, awaited, timeout_seconds))
        try:
            await asyncio.wait({engine, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if engine.done():
                waiting.cancel()
                await engine
            manifest, ending = await waiting
            drain = (manifest or {}).get("spec", {}).get("strategy", {}).get("drain", "5s")
            await _let_it_tidy_up(cluster, namespace, name, ending, drain)
        finally:
            await _stopped(engine)
    return conclude(manifest, ending, wanted)


async def _let_it_tidy_up(cluster: Cluster, namespace: str, name: str, ending: Ending, drain: str) -> None:
    """After the end the engine still writes the record and, once it has drained, removes what is no longer used."""
    from kube.kinds import CONFIG_MAP
    from rollout.api.durations import seconds_of
    from rollout.records.record import config_map_name

    if ending.release is None or ending.release.ended_at is None:
        return
    kept = config_map_name(name, ending.release.id)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            await asyncio.sleep(seconds_of(drain) + 1.0)
            while True:
                if await cluster.find(CONFIG_MAP, kept, namespace) is not None:
                    return
                await asyncio.sleep(0.2)


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@click.command()
@click.option("--kubeconfig", metavar="FILE", help="Kubeconfig to use; in a pod, its own service account.")
@click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
@click.option("-n", "--namespace", "namespaces", multiple=True, metavar="NAME", help="Repeatable; all if not given.")
@click.option("--metrics-port", default=9090, show_default=True, help="Port of /metrics and /healthz; 0 for none.")
@click.option(
    "--max-in-flight",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Releases carried out at the same time; others wait in Preparing.",
)
@engine_options
def controller(
    *,
    kubeconfig: str | None,
    context: str | None,
    namespaces: tuple[str, ...],
    metrics_port: int,
    max_in_flight: int,
    identity: str,
    log_level: str | None,
    log_format: str,
) -> None:
    """Carry out every release until stopped."""
    configure_logs(log_format, log_level or "info")
    where = Where(kubeconfig, context)
    control = _control(where, namespaces, metrics_port or None, identity, max_in_flight)
    asyncio.run(until_told_to_stop(control))


async def _control(
    where: Where, namespaces: tuple[str, ...], metrics_port: int | None, identity: str, max_in_flight: int
) -> None:
    from rollout.engine.run import run_controller

    async with where.open() as (cluster, _):
        found = namespaces or (None,)
        await run_controller(cluster, found, identity=identity, metrics_port=metrics_port, max_in_flight=max_in_flight)


async def until_told_to_stop(work: Coroutine[Any, Any, None]) -> None:
    """Run until SIGTERM or SIGINT, then let the work end in order: leases are let go."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _traceback(out: TextIO, found: tuple[Any, ...]) -> None:
    """A traceback without values, its lines cleaned and indented: what an error says begins no line of the log."""
    import traceback

    from rollout.api.texts import clean

    out.writelines(
        f"\n    {clean(line, MOST_LOGGED)}" for line in "".join(traceback.format_exception(*found)).splitlines()
    )


def cleaned(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor: texts of others (pods, people, gateways) neither begin a line of their own nor steer a terminal."""
    from rollout.api.texts import clean

    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = clean(value, MOST_LOGGED)
    return event


def configure_logs(form: str, level: str) -> None:
    """Structured logs to stderr: one JSON object a line, or lines for people."""
    import logging
    import sys

    import structlog

    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, cleaned]
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    endings: dict[str, list[Any]] = {
        "json": [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
        "console": [
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=True),
            structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=_traceback),
        ],
    }
    structlog.configure(
        processors=[*shared, *endings[form]],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )

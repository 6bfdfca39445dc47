"""``python -m load --url http://127.0.0.1:30080/ --host checkout.local --rate 100 --seconds 60 --out FILE.jsonl``."""

from __future__ import annotations

import argparse
import asyncio
import math
import signal
import sys
from pathlib import Path

from load.generator import Load, Request
from load.target import TargetError

LONGEST_SECONDS = 7200.0
ORDER = Request("POST", "/orders", {"item": "tea", "quantity": 2})


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m load", description="Steady load on a service of this machine.")
    found.add_argument("--url", required=True, help="http://HOST:PORT/PATH")
    found.add_argument("--host", default="", help="the Host header")
    found.add_argument("--rate", type=float, default=100.0, help="requests a second (default 100)")
    found.add_argument(
        "--seconds", type=float, default=60.0, help=f"how long (default 60, at most {LONGEST_SECONDS:g})"
    )
    found.add_argument("--timeout", type=float, default=10.0, help="seconds until a request is given up (default 10)")
    found.add_argument("--orders-every", type=int, default=0, metavar="N", help="every Nth request places an order")
    found.add_argument("--out", type=Path, help="one JSON line per answer")
    found.add_argument("--allow", action="append", default=[], metavar="CIDR", help="a private network that is yours")
    return found


async def run(options: argparse.Namespace) -> int:
    """Send until the time is over, or SIGINT or SIGTERM; print the summary."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    every = options.orders_every
    requests = [Request()] * (every - 1) + [ORDER] if every else [Request()]
    async with Load(
        options.url,
        host=options.host,
        rate=options.rate,
        seconds=min(options.seconds, LONGEST_SECONDS),
        requests=requests,
        timeout=options.timeout,
        out=options.out,
        allow=options.allow,
    ) as load:
        waits = [asyncio.create_task(load.finished()), asyncio.create_task(stop.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
    print(load.summary())  # noqa: T201 - that is what was asked for
    return 0


def main() -> int:
    """The whole program."""
    options = parser().parse_args()
    if not (0 < options.rate < math.inf and options.seconds > 0):
        parser().error("--rate and --seconds: give a number above 0")
    try:
        return asyncio.run(run(options))
    except TargetError as error:
        print(f"load: {error}", file=sys.stderr)  # noqa: T201 - as above
        return 2


if __name__ == "__main__":
    sys.exit(main())

"""``python -m components.externals.prober FILE PORT``: look at what the file names until somebody says stop."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

from components.externals.prober.target import Target, targets_in
from components.externals.prober.watching import watch


async def _until_stopped(targets: list[Target], port: int) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)
    with suppress(asyncio.CancelledError):
        await watch(targets, port, lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201 - the log


def main(arguments: list[str]) -> int:
    """Run, and answer an exit code."""
    try:
        path, port = arguments
        targets = targets_in(Path(path))
        asyncio.run(_until_stopped(targets, int(port)))
    except (ValueError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - of a command
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

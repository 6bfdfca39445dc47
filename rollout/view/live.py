"""The live view: the text view painted over itself, calmly, on a terminal; nothing else here owns the screen."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rollout.api.persisted import read_status
from rollout.view.scene import describe
from rollout.view.text import scene_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

    from kube.kinds import Manifest
    from rollout.api.spec import Spec

REFRESH_SECONDS = 0.5


async def show(
    changes: AsyncIterable[Manifest],
    spec_of: Callable[[Manifest], tuple[Spec, str, bool]],
    *,
    console: Console | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Paint the release until `changes` ends; clocks move between changes.

    Args:
        changes: the object, each time that it changed.
        spec_of: the spec to show it by, what is wrong with its own, and whether any is known.
        console: to paint on.
        clock: seconds since the epoch.
    """
    with Live(console=console or Console(), auto_refresh=False) as live:
        newest: list[Manifest] = []

        def paint() -> None:
            """Show the newest state as of now."""
            if newest:
                live.update(picture(newest[-1], spec_of, clock()), refresh=True)

        ticking = asyncio.create_task(_tick(paint))
        try:
            async for manifest in changes:
                newest[:] = [manifest]
                paint()
        finally:
            ticking.cancel()


async def _tick(paint: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        paint()


def picture(manifest: Manifest, spec_of: Callable[[Manifest], tuple[Spec, str, bool]], now: float) -> Text:
    """One frame."""
    meta = manifest["metadata"]
    status = read_status(manifest.get("status"))[0]
    spec, mistake, known = spec_of(manifest)
    scene = describe(f"{meta['namespace']}/{meta['name']}", spec, status, now, known=known)
    if mistake:
        scene = replace(scene, facts=(*scene.facts, ("mistake", mistake)))
    return Text.from_ansi(scene_text(scene), no_wrap=True, overflow="ellipsis")

"""One controller against an API server at a given address, as in a cluster: pods are read at their own addresses."""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from pathlib import Path

import aiohttp
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kube.cluster import Cluster
from kube.connect import Connection
from rollout.engine.run import run_controller

NAMESPACE = "shop"


async def nobody() -> str | None:
    """The paper API server lets everybody in."""
    return None


async def run(api_port: int, metrics_port: int, max_in_flight: int) -> None:
    """Carry out everything until killed."""
    found = Connection(f"http://127.0.0.1:{api_port}", ssl.create_default_context(), NAMESPACE, nobody, in_cluster=True)
    usual, urgent = (aiohttp.TCPConnector(limit=limit) for limit in (200, 20))
    async with Cluster(
        found, *(aiohttp.ClientSession(connector=each, read_bufsize=2**21) for each in (usual, urgent))
    ) as cluster:
        await run_controller(
            cluster, [NAMESPACE], identity="engine", metrics_port=metrics_port, max_in_flight=max_in_flight
        )


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(run(*(int(each) for each in sys.argv[1:])))

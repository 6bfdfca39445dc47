"""Runs a program in a container of the cluster, as ``kubectl exec`` does."""

from __future__ import annotations

import json

import aiohttp

CHANNELS = "v4.channel.k8s.io"
SAID, ENDED = {1, 2}, 3


async def run(cluster, namespace, pod, container, *argv):
    """What it said; it has to end well."""
    query = [("container", container), ("stdout", "1"), ("stderr", "1"), *(("command", each) for each in argv)]
    token = await cluster.connection.authorization(f"exec in {pod}")
    url = f"{cluster.connection.host}/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    told, status = b"", {}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=cluster.connection.tls)) as session,
        session.ws_connect(
            url, params=query, protocols=[CHANNELS], headers={"Authorization": token} if token else None
        ) as wire,
    ):
        async for message in wire:
            if message.type is aiohttp.WSMsgType.BINARY and message.data:
                channel, data = message.data[0], message.data[1:]
                told += data if channel in SAID else b""
                status = json.loads(data) if channel == ENDED else status
    assert status.get("status") == "Success", (argv, status, told.decode())
    return told.decode()

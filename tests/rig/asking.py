"""Requests of an operator: from a host of the rig to the admin listener or the log of another."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.rig.network import Host
from tests.support.edge_node import TOKEN
from tests.support.edges import Client

ASKING_S = 30.0


async def ask(
    operator: Host, host: Host, port: int, target: str, order: dict[str, Any] | None = None
) -> tuple[int, bytes]:
    """Status and body; raises what `LOST` lists when there is no answer. An order is posted."""
    body = b"" if order is None else json.dumps(order).encode()
    head = "\r\n".join(
        [
            f"{'GET' if order is None else 'POST'} {target} HTTP/1.1",
            f"Host: {host.name}",
            f"Content-Length: {len(body)}",
            f"Authorization: Bearer {TOKEN}",
            "Connection: close",
        ]
    )
    async with asyncio.timeout(ASKING_S):
        client = Client(*await operator.connect(host, port, limit=1 << 20))
        try:
            client.send(f"{head}\r\n\r\n".encode() + body)
            got = await client.read()
        finally:
            await client.close()
    return got.status, got.body

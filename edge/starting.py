"""How a node starts: it takes of the machine what it needs, and gives it back at its end."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from edge.admin import admin_app, serving
from edge.disk_keeper import DiskKeeper
from edge.holdings import Holdings
from edge.keeper import WorkerError
from edge.listeners import bind, bound_to, reserve
from edge.members import member_url
from edge.node import WORKER_COMMAND, Node
from edge.peer_dir import peer_dir_for
from edge.realtime.keeping import HubPlace
from edge.settings import EdgeSettings
from edge.start_files import Files


async def serve(
    settings: EdgeSettings,
    *,
    started: Callable[[EdgeSettings], None],
    command: Sequence[str] = WORKER_COMMAND,
) -> None:
    """Run a node until SIGTERM or SIGINT; `started` gets the settings with the ports that it has.

    Raises PolicyFileError, CertificateError, RingError, TableError, ListenError or DiskError before
    any worker is started, and WorkerError when one of them never serves.
    """
    files = Files.read(settings)
    with ExitStack() as opened:
        listeners = bind(settings.listen, option="--listen", count=settings.workers)
        opened.callback(_close_all, listeners)
        settings = replace(settings, listen=bound_to(listeners[0]))
        admin = []
        if settings.admin is not None:
            admin = bind(settings.admin, option="--admin")
            opened.callback(_close_all, admin)
            settings = replace(settings, admin=bound_to(admin[0]))
        if settings.peer is not None:
            held = reserve(settings.peer, option="--peer")
            opened.callback(held.close)
            at = bound_to(held)
            settings = replace(
                settings, peer=at, advertise=settings.advertise or member_url(f"http://{at}")
            )
        peer_dir = opened.enter_context(peer_dir_for(settings.workers))
        disk = None
        if settings.disk is not None:
            disk = DiskKeeper(Path(settings.disk), settings.disk_bytes)
            opened.callback(disk.close)
        hubs = []
        if settings.realtime is not None:
            hubs = [HubPlace(settings, files.pems, files.ring)]
            opened.callback(hubs[0].close)
            settings = replace(settings, realtime=hubs[0].address)
        holdings = Holdings(listeners=listeners, peer_dir=peer_dir, disk=disk, hubs=hubs)
        node = Node(settings, holdings, files, command)
        opened.callback(node.page.close)
        await node.region.begin()
        loop = asyncio.get_running_loop()
        handlers = {signal.SIGTERM: node.stop, signal.SIGINT: node.stop, signal.SIGHUP: node.reload}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
            opened.callback(loop.remove_signal_handler, number)
        async with AsyncExitStack() as admins:
            for listener in admin:
                await admins.enter_async_context(serving(admin_app(node, settings.token), listener))
            failure = None
            try:
                await node.run(partial(started, settings))
            except* WorkerError as group:
                failure = group.exceptions[0]
            finally:
                await node.region.close()
            if failure is not None:
                raise failure


def _close_all(listeners: Sequence[socket.socket]) -> None:
    for listener in listeners:
        listener.close()

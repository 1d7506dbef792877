"""Players of a soak over HTTP/2: several streams at once, some of them cancelled."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress

import h2.exceptions

from tests.support.http2 import Answered, Http2Client
from tests.support.soak_judge import Ask, Heard
from tests.support.soak_player import LOST, PATIENCE_S, Crowd, trusting


class Http2Player:
    """One connection with several streams at once; some are cancelled."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self.crowd = crowd
        self.draw = random.Random(f"{crowd.seed} stream player {number}")
        self.user = f"user-h2-{number}"
        self.etags: dict[str, str] = {}

    async def play(self) -> None:
        while not self.crowd.done:
            if not (self.crowd.target.port and self.crowd.target.tls):
                await asyncio.sleep(0.05)
                continue
            client = None
            try:
                async with asyncio.timeout(PATIENCE_S):
                    client = await self._connected()
                for _ in range(self.draw.choice([1, 5, 40])):
                    await self._round(client)
                    if client.closed or client.goaways or self.crowd.done:
                        break
            except LOST:
                self.crowd.lost += 1
                await asyncio.sleep(0.05)
            finally:
                if client is not None:
                    client.writer.transport.abort()

    async def _connected(self) -> Http2Client:
        context = trusting("h2")
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.crowd.target.port, ssl=context, server_hostname="edge.test"
        )
        client = Http2Client(reader, writer)
        client.h2.initiate_connection()
        client.flush()
        return client

    async def _round(self, client: Http2Client) -> None:
        """Ask for several things at once, give up some, read the others."""
        draw, crowd = self.draw, self.crowd
        asked: list[tuple[int, Ask]] = []
        for _ in range(draw.choice([1, 2, 6])):
            ask = crowd.ask(draw, self.user, self.etags)
            asked.append((client.ask(ask.path, *lowered(ask), method=ask.method), ask))
        kept = [(stream, ask) for stream, ask in asked if not self._cancels(client, stream)]
        client.reads = draw.random() > 0.03
        if not client.reads:
            await asyncio.sleep(draw.choice([0.01, 0.5]))
            client.reads = True
        for stream, ask in kept:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    answer = await client.read(stream)
            except LOST:
                answer = client.answers[stream]
            heard = heard_of(answer)
            if client.goaways and not heard.status:
                crowd.reconnected += 1
            else:
                crowd.hear(ask, heard, self.etags)
        client.answers.clear()

    def _cancels(self, client: Http2Client, stream: int) -> bool:
        if self.draw.random() > 0.03:
            return False
        with suppress(h2.exceptions.ProtocolError):
            client.h2.reset_stream(stream, 8)
            client.flush()
        return True


def lowered(ask: Ask) -> list[str]:
    return [f"{name.lower()}: {value}" for name, value in ask.fields.items()]


def heard_of(answer: Answered) -> Heard:
    fields = {name: value.decode("latin-1") for name, value in answer.fields}
    whole = answer.ended and answer.error is None
    return Heard(answer.status, fields, bytes(answer.body), whole, time.monotonic())

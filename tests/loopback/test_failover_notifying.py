"""Notifications over real connections: webhooks get them, a broken one costs others nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from failover import notifying
from failover.messages import Message
from failover.notifying import ChannelError, Notifier


@asynccontextmanager
async def webhook(status: int) -> AsyncIterator[tuple[int, asyncio.Queue[dict]]]:
    told: asyncio.Queue[dict] = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        told.put_nowait(json.loads(await reader.readexactly(length)))
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], told
    finally:
        server.close()


@asynccontextmanager
async def running(notifier: Notifier) -> AsyncIterator[None]:
    task = asyncio.create_task(notifier.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_every_channel_is_told_and_a_broken_one_holds_up_nobody():
    async with webhook(200) as (good, told), webhook(500) as (bad, refused):
        notifier = Notifier(
            {"bad": f"json://127.0.0.1:{bad}/", "good": f"json://127.0.0.1:{good}/"}
        )
        async with running(notifier), asyncio.timeout(60):
            notifier.tell(Message(title="media moved", body="to edges", is_urgent=True))
            notifier.tell(Message(title="second", body="b"))
            said = [await told.get(), await told.get()]
            for _ in range(2 * notifying.ATTEMPTS):
                await refused.get()
            while notifier.failed["bad"] < 2:  # noqa: ASYNC110 nobody tells
                await asyncio.sleep(0.01)
    assert [(each["title"], each["message"]) for each in said] == [
        ("media moved", "to edges"),
        ("second", "b"),
    ]
    assert said[0]["type"] == "failure"
    assert notifier.sent == {"bad": 0, "good": 2}


async def test_what_waits_is_bounded_and_the_oldest_goes():
    notifier = Notifier({"one": "json://127.0.0.1:1/"})
    for number in range(notifying.QUEUED_MAX + 3):
        notifier.tell(Message(title=str(number), body=""))
    assert notifier.failed == {"one": 3}


def test_a_channel_that_is_none_is_named_without_its_url():
    with pytest.raises(ChannelError, match="channel mail") as refused:
        Notifier({"mail": "nonsense://secret"})
    assert "secret" not in str(refused.value)

"""Tells people by webhook, e-mail and chat (apprise); a channel that is slow holds up nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import apprise

from failover.messages import Message

QUEUED_MAX: Final = 100  # messages that wait; the oldest go first
SEND_S: Final = 20.0
ATTEMPTS: Final = 3
PAUSE_S: Final = 5.0

log = logging.getLogger("failover.notifying")


class ChannelError(Exception):
    """A channel's URL is none that can be sent to; the URL is not repeated."""


@dataclass(slots=True)
class _Sending:
    """A message on its way to so many channels."""

    message: Message
    left: int
    done: Callable[[], object] | None

    def has_ended(self) -> None:
        """Note that one channel has it, or that it was given up there."""
        self.left -= 1
        if self.left == 0 and self.done is not None:
            self.done()


class Notifier:
    """Sends every message to every channel, each in its own time."""

    def __init__(self, channels: Mapping[str, str], *, pause_s: float = PAUSE_S) -> None:
        """`channels` are apprise URLs by name. Raises ChannelError."""
        self._senders = {name: _sender(name, url) for name, url in channels.items()}
        self._queues = {name: asyncio.Queue[_Sending](QUEUED_MAX) for name in channels}
        self._pause_s = pause_s
        self.failed = dict.fromkeys(channels, 0)  # messages that were given up, by channel
        self.sent = dict.fromkeys(channels, 0)

    def tell(self, message: Message, done: Callable[[], object] | None = None) -> None:
        """Queue a message for all channels; never waits. `done` is called when all are through."""
        sending = _Sending(message, len(self._queues), done)
        for name, queue in self._queues.items():
            if queue.full():
                queue.get_nowait().has_ended()
                self.failed[name] += 1
            queue.put_nowait(sending)
        if not self._queues and done is not None:
            done()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name in self._queues:
                tasks.create_task(self._send_from(name))

    async def _send_from(self, name: str) -> None:
        while True:
            sending = await self._queues[name].get()
            message = sending.message
            for attempt in range(ATTEMPTS):
                if await self._send(name, message):
                    self.sent[name] += 1
                    break
                if attempt + 1 < ATTEMPTS:
                    await asyncio.sleep(self._pause_s)
            else:
                self.failed[name] += 1
                log.error("channel %s: a message was given up: %s", name, message.title)
            sending.has_ended()

    async def _send(self, name: str, message: Message) -> bool:
        kind = apprise.NotifyType.FAILURE if message.is_urgent else apprise.NotifyType.INFO
        try:
            async with asyncio.timeout(SEND_S):
                return bool(
                    await self._senders[name].async_notify(
                        body=message.body, title=message.title, notify_type=kind
                    )
                )
        except (TimeoutError, OSError, TypeError) as error:
            log.warning("channel %s: %s", name, type(error).__name__)
            return False


def _sender(name: str, url: str) -> apprise.Apprise:
    sender = apprise.Apprise()
    if not sender.add(url.strip()):
        raise ChannelError(f"channel {name}: its credential is no URL that apprise knows")
    return sender

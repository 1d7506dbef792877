"""The line between a supervisor and one worker: a question a line, an answer a line, as JSON."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from typing import Any

LINE_MAX_BYTES = 4 * 1024 * 1024


async def serve_control(control: socket.socket, answers: Mapping[str, Callable[[], Any]]) -> None:
    """Answer the supervisor, in a worker; returns when the supervisor is gone.

    A worker answers `sync` (apply what was published, return the sequence number) and `counters`.
    The first answer tells the supervisor that this worker serves, so start it once that is so.
    """
    reader, writer = await asyncio.open_connection(sock=control, limit=LINE_MAX_BYTES)
    try:
        while line := await reader.readline():
            question = json.loads(line)
            answer = answers[question["ask"]]()
            writer.write(json.dumps({"id": question["id"], "answer": answer}).encode() + b"\n")
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()


class ControlLine:
    """The supervisor's end. Questions wait for each other, so a limit includes the wait."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        self._last_id = 0

    @classmethod
    async def open(cls, control: socket.socket) -> ControlLine:
        """Take over the supervisor's end of a socket pair."""
        return cls(*await asyncio.open_connection(sock=control, limit=LINE_MAX_BYTES))

    async def ask(self, question: str, *, limit_s: float | None) -> Any:
        """Return the worker's answer. Raises TimeoutError, or ConnectionError when it is gone."""
        async with asyncio.timeout(limit_s), self._turn:
            self._last_id += 1
            asked = {"id": self._last_id, "ask": question}
            self._writer.write(json.dumps(asked).encode() + b"\n")
            while line := await self._reader.readline():
                said = json.loads(line)
                if said["id"] == self._last_id:  # else: the late answer to a question given up
                    return said["answer"]
            raise ConnectionResetError("the worker is gone")

    def close(self) -> None:
        """Hang up, which ends the worker."""
        self._writer.close()

"""The line between a supervisor and one worker: questions and answers, one JSON object a line.

The supervisor asks a worker `sync` (apply what was published, say the sequence number) and
`counters`. A worker asks its supervisor `invalidate` with a list of cache keys (latin-1 text): the
answer is the purge's sequence number, once every worker has applied it.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, TypeAlias

LINE_MAX_BYTES = 4 * 1024 * 1024

Answers: TypeAlias = Mapping[str, Callable[[Any], Awaitable[Any]]]  # by question, given its detail


class ControlLine:
    """One end of the line. Both ends may ask at any time; `run` carries it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Answers
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._answers = answers
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._numbers = count(1)
        self._is_over = False

    @classmethod
    async def open(cls, control: socket.socket, answers: Answers) -> ControlLine:
        """Take over a connected socket."""
        reader, writer = await asyncio.open_connection(sock=control, limit=LINE_MAX_BYTES)
        return cls(reader, writer, answers)

    async def run(self) -> None:
        """Carry questions and answers until the other end is gone.

        In a worker, start it once players are served: its first answer says so to the supervisor.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                with suppress(ConnectionError):
                    while line := await self._reader.readline():
                        self._take(json.loads(line), tasks)
        finally:
            self.close()

    async def ask(self, question: str, detail: Any = None, *, limit_s: float | None) -> Any:
        """Return the other end's answer. Raises TimeoutError, or ConnectionError if it is gone."""
        if self._is_over:
            raise ConnectionResetError("the other end is gone")
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit_s):
                self._write({"id": number, "ask": question, "detail": detail})
                return await answer
        finally:
            del self._asked[number]

    def close(self) -> None:
        """Hang up; whoever waits for an answer gets a ConnectionError."""
        self._is_over = True
        self._writer.close()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the other end is gone"))

    def _take(self, said: dict[str, Any], tasks: asyncio.TaskGroup) -> None:
        if "ask" in said:
            tasks.create_task(self._reply(said))
            return
        answer = self._asked.get(said["id"])
        if answer is not None and not answer.done():  # else: asked with less patience
            answer.set_result(said["answer"])

    async def _reply(self, said: dict[str, Any]) -> None:
        answer = await self._answers[said["ask"]](said["detail"])
        self._write({"id": said["id"], "answer": answer})

    def _write(self, message: dict[str, Any]) -> None:
        if not self._is_over:
            self._writer.write(json.dumps(message).encode() + b"\n")

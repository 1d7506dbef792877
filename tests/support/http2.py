"""A client of HTTP/2 for tests: the `h2` package over a TLS connection, or raw frames."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes

from tests.support.edges import PATIENCE_S, Edge
from tests.support.tls import client_context


@dataclass(slots=True)
class Answered:
    """A response as far as it came; `error` is the code of the RST_STREAM that ended it."""

    status: int = 0
    fields: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    error: int | None = None
    early: list[tuple[int, list[tuple[str, bytes]]]] = field(default_factory=list)  # 1xx

    def get(self, name: str) -> bytes | None:
        return next((value for key, value in self.fields if key == name), None)

    @property
    def says(self) -> str:
        return (self.get("cache-status") or b"").decode()


class Http2Client:
    """One connection; `settings` are ours, `reads` whether windows are opened as bodies come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        config = h2.config.H2Configuration(
            header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.answers: dict[int, Answered] = {}
        self.goaways: list[tuple[int, int]] = []  # (last stream, error)
        self.reads = True
        self.closed = False
        self._rest = b""  # of a frame

    @classmethod
    async def open(cls, edge: Edge, *, window: int | None = None) -> "Http2Client":
        reader, writer = await raw_connection(edge)
        client = cls(reader, writer)
        client.h2.initiate_connection()
        if window is not None:
            client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        client.flush()
        return client

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data:
            self.writer.write(data)

    def ask(
        self,
        target: str,
        *lines: str,
        method: str = "GET",
        body: bytes | None = None,
        open_end: bool = False,
    ) -> int:
        """Begin a stream; with `open_end` its body follows later."""
        fields = [
            (b":method", method.encode()),
            (b":scheme", b"https"),
            (b":authority", b"edge.test"),
            (b":path", target.encode()),
            *(tuple(part.encode() for part in line.split(": ", 1)) for line in lines),
        ]
        return self.ask_with(fields, body=body, open_end=open_end)

    def ask_with(
        self,
        fields: list[tuple[bytes, bytes]],
        *,
        body: bytes | None = None,
        open_end: bool = False,
    ) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.answers[stream_id] = Answered()
        self.h2.send_headers(stream_id, fields, end_stream=body is None and not open_end)
        if body is not None:
            self.send_body(stream_id, body)
        self.flush()
        return stream_id

    def send_body(self, stream_id: int, body: bytes, *, end: bool = True) -> None:
        """Send a body that the windows have room for."""
        for at in range(0, len(body), 16_384):
            self.h2.send_data(stream_id, body[at : at + 16_384])
        if end:
            self.h2.end_stream(stream_id)
        self.flush()

    async def upload(self, stream_id: int, body: bytes) -> None:
        """Send a body as the windows allow."""
        view = memoryview(body)
        while view:
            room = min(self.h2.local_flow_control_window(stream_id), 16_384)
            if not room:
                assert await self.step()
                continue
            self.send_body(stream_id, bytes(view[:room]), end=False)
            view = view[room:]
        self.h2.end_stream(stream_id)
        self.flush()

    async def step(self) -> bool:
        """Read once; False at the end of the connection."""
        try:
            data = await self.reader.read(1 << 20)
        except (ConnectionError, ssl.SSLError):
            data = b""
        if not data:
            self.closed = True
            return False
        for event in self.h2.receive_data(self._without_goaways(data)):
            self._take(event)
        self.flush()
        return True

    def _without_goaways(self, data: bytes) -> bytes:
        """What of `data` the `h2` package gets: to it a GOAWAY would be the connection's end."""
        data, self._rest = self._rest + data, b""
        passed, at = b"", 0
        while len(data) - at >= 9:
            end = at + 9 + int.from_bytes(data[at : at + 3], "big")
            if end > len(data):
                break
            if data[at + 3] == 7:
                last, error = data[at + 9 : at + 13], data[at + 13 : at + 17]
                self.goaways.append((int.from_bytes(last, "big"), int.from_bytes(error, "big")))
            else:
                passed += data[at:end]
            at = end
        self._rest = data[at:]
        return passed

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                answer = self.answers[event.stream_id]
                answer.status, answer.fields = read_head(event.headers)
            case h2.events.InformationalResponseReceived():
                self.answers[event.stream_id].early.append(read_head(event.headers))
            case h2.events.DataReceived():
                answer = self.answers[event.stream_id]
                answer.body += event.data
                if self.reads:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.answers[event.stream_id].ended = True
            case h2.events.StreamReset():
                self.answers.setdefault(event.stream_id, Answered()).error = event.error_code

    async def read(self, stream_id: int) -> Answered:
        """The answer on a stream, when it has ended."""
        answer = self.answers[stream_id]
        async with asyncio.timeout(PATIENCE_S):
            while not answer.ended and answer.error is None:
                if not await self.step():
                    break
        return answer

    async def get(self, target: str, *lines: str, method: str = "GET") -> Answered:
        return await self.read(self.ask(target, *lines, method=method))

    async def is_closed(self) -> bool:
        async with asyncio.timeout(PATIENCE_S):
            while await self.step():
                pass
        return True

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


def read_head(lines: list[tuple[bytes, bytes]]) -> tuple[int, list[tuple[str, bytes]]]:
    (_, status), *fields = lines
    return int(status), [(name.decode(), value) for name, value in fields]


async def raw_connection(edge: Edge) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TLS connection that has chosen HTTP/2."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        edge.port,
        ssl=client_context("h2"),
        server_hostname="edge.test",
        limit=1 << 24,
    )
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    return reader, writer

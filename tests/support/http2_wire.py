"""A client of HTTP/2 without a socket: it asks a protocol object and reads what that sends."""

import asyncio

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes
from uvicorn.server import ServerState

from edge.hpack import Blocks
from edge.http2 import Http2Protocol
from edge.server import Server
from edge.shared import Shared
from edge.worker import Worker
from tests.support.http2 import read_head
from tests.support.paths import Parsed, as_parsed
from tests.support.wire import Wire

WINDOW_MAX = (1 << 31) - 1
_INITIAL = 65_535


class Http2Wire:
    """One connection; its windows are as wide as they can be."""

    def __init__(self, worker: Worker, shared: Shared) -> None:
        config = Server(worker).config
        config.load()
        given = {"shared": shared, "blocks": Blocks()}
        self.wire = Wire()
        self.protocol = type("Bound", (Http2Protocol,), given)(config, ServerState(), {})
        self.protocol.connection_made(self.wire)
        self._client = h2.connection.H2Connection(
            h2.config.H2Configuration(
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._client.initiate_connection()
        self._client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_MAX})
        self._client.increment_flow_control_window(WINDOW_MAX - _INITIAL)
        self._say()

    async def ask(self, fields: list[tuple[bytes, bytes]]) -> tuple[Parsed, bool]:
        """The answer to one request, and whether it came at once."""
        stream_id = self._client.get_next_available_stream_id()
        self._client.send_headers(stream_id, fields, end_stream=True)
        self.protocol.data_received(self._client.data_to_send())
        head: tuple[int, list[tuple[str, bytes]]] | None = None
        body, ended, at_once = b"", False, True
        while not ended:
            for event in self._client.receive_data(self.wire.take()):
                match event:
                    case h2.events.ResponseReceived():
                        head = read_head(event.headers)
                    case h2.events.DataReceived():
                        body += event.data
                        self._client.acknowledge_received_data(
                            event.flow_controlled_length, stream_id
                        )
                    case h2.events.StreamEnded():
                        ended = True
                    case h2.events.StreamReset():
                        raise ConnectionResetError(event.error_code)
            self._say()
            if not ended:
                at_once = False
                await asyncio.sleep(0.001)
        assert head is not None
        return as_parsed(head[0], [(n, v.decode("latin-1")) for n, v in head[1]], body), at_once

    def _say(self) -> None:
        if data := self._client.data_to_send():
            self.protocol.data_received(data)

    def close(self) -> None:
        self.protocol.connection_lost(None)

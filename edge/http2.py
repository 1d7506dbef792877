"""A player's HTTP/2 connection: plain hits are answered here, at once; all else goes to the app.

The parser (zttp) reads frames, undoes HPACK and holds requests to RFC 9113. What is sent is framed
by `output.py` and `outlet.py`: a body leaves as references within the peer's windows, where the
parser would copy all of it. Windows of requests' bodies are opened by `inflow.py`: the parser would
do so for an app that takes nothing.
"""

import asyncio
from time import monotonic
from typing import Any, Final

import zttp
from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from edge import frames
from edge.door import Known
from edge.frames import FloodError, Incoming, WindowError
from edge.heads import Facts, joined_cookies
from edge.hits import Hit, look_up, part_of
from edge.hpack import Blocks
from edge.log_lines import asked_by
from edge.output import DIRECT_BYTES_MAX, Output
from edge.pace import Pace
from edge.refusals import REFUSALS, RefusedHeadError
from edge.scope import Ends
from edge.shared import Shared
from edge.stream_request import read_request
from edge.streams import Serving, Streams

STREAMS_MAX: Final = 3_900  # of one connection: the parser takes 4 096 for a flood
RESETS_MAX: Final = 200  # by the peer, of requests not answered: the parser ends it at 256
LAST_STREAMS_S: Final = 1.0  # after the first GOAWAY, for requests that were on their way
_OF_HITS: Final = frozenset({b"GET", b"HEAD"})


def _never_plain(event: zttp.Request) -> None:
    """No request of a provider's connection is answered on the hit path."""
    del event


class Http2Protocol:
    """One connection. `shared` and `blocks` come with the class."""

    shared: Shared
    blocks: Blocks
    known: Known | None = None  # the token of the last request that had one
    known_facts: Facts | None = None  # and what it came with

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        del app_state
        self._app = config.loaded_app
        self.loop = _loop or asyncio.get_event_loop()
        self.server_state = server_state
        self.connections = server_state.connections
        self.transport: asyncio.Transport
        self._parser = zttp.Connection(zttp.SERVER, protocol=zttp.HTTP2)
        self._incoming = Incoming(monotonic())
        self._output = Output(self._parser, self._incoming)
        self._outlet = self._output.outlet
        self._streams: Streams
        self._has_paused = False  # reading
        self._will_flush = False
        self._facts: Facts | None = None  # of the last plain request here
        self._headers: list[tuple[bytes, bytes]] = []  # that they were read from
        self._requests = self._resets = self._last_id = 0
        self._is_going = False  # GOAWAY was sent, requests are still answered
        self._is_gone = False  # no more requests are answered
        self._quiet_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._pace = Pace()
        self._stall = Pace()

    # connection

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Send our settings."""
        self.transport = self._output.transport = transport
        self._client: str | None = None  # whom it counts for
        client = get_remote_addr(transport)
        address = client[0].encode() if client else b"unknown"
        provider = self.shared.clients.proxies.provider(address)
        if provider is not None:
            self._plain_facts = _never_plain  # type: ignore[method-assign]  # the app tells tags
        serving = Serving(
            shared=self.shared,
            blocks=self.blocks,
            app=self._app,
            state=self.server_state,
            ends=Ends(get_local_addr(transport), client, peer=False, provider=provider),
        )
        self._streams = Streams(serving, self._output, self._flush_soon)
        self.connections.add(self)  # type: ignore[arg-type]  # it has what the server asks of one
        self._quiet_since = monotonic()
        self._timer = self.loop.call_later(self.shared.limits.keep_alive_s, self._tick)
        self._parser.initiate_connection()
        if len(self.connections) > self.shared.limits.connections_max:
            self._give_up("connections-max", frames.ENHANCE_YOUR_CALM)
        elif self.shared.is_draining:
            self._go_away()
        try:
            self._client = self.shared.clients.enter(self.address)
        except OverflowError:
            self._give_up("client-connections-max", frames.ENHANCE_YOUR_CALM)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all that works for this player."""
        self.connections.discard(self)
        self.shared.clients.leave(self._client)
        if self._timer is not None:
            self._timer.cancel()
        self._streams.lost()
        self._output.forget()
        if exc is None:
            self.transport.close()

    def forget_lines(self) -> None:
        """Read the next request anew: other policies may make something else of it."""
        self._facts = None
        self._streams.take_gate()

    def drain(self) -> None:
        """Have the player open another connection for its next requests."""
        self._go_away()
        self._flush()

    def shutdown(self) -> None:
        """Drain: answer what has been asked, or is on its way, then close."""
        self.shared.drain()
        self.drain()

    def pause_writing(self) -> None:
        """The transport takes no more."""
        self._output.is_full = True

    def resume_writing(self) -> None:
        """It does again."""
        self._output.is_full = False
        self._flush()

    def reads_slower_than(self, bps: float, patience_s: float, now_mono: float) -> bool:
        """Whether a player that holds memory has taken less than `bps` for `patience_s` seconds."""
        return self._pace.is_below(bps, patience_s, transport=self, now_mono=now_mono)

    def get_write_buffer_size(self) -> int:
        """Bytes of bodies that wait."""
        return self._outlet.waiting_bytes

    def get_extra_info(self, name: str) -> Any:
        """What the transport knows."""
        return self.transport.get_extra_info(name)

    @property
    def address(self) -> bytes:
        """The player's."""
        return self._streams.address

    # frames in

    def data_received(self, data: bytes) -> None:
        """Go through what came, and answer."""
        if self.transport.is_closing():
            return
        now = monotonic()
        try:
            data = self._incoming.feed(data, now)
            self._take_windows()
            if data:  # none of it would mean the end
                self._read(data, now)
            if self._incoming.bodies:
                self._streams.count(self._incoming.bodies)
                self._incoming.bodies.clear()
        except FloodError:
            self._give_up("http2-flood", frames.ENHANCE_YOUR_CALM)
        except WindowError:
            self._give_up("http2-window", frames.FLOW_CONTROL_ERROR)
        except zttp.RemoteProtocolError as error:  # its GOAWAY waits in the parser
            flood = "flood" in str(error) or "limit" in str(error)
            self._give_up("http2-flood" if flood else "http2-syntax", None)
        self._flush()

    def _take_windows(self) -> None:
        incoming, outlet = self._incoming, self._outlet
        if incoming.initial_window != outlet.initial_window:
            outlet.resize(incoming.initial_window)
        if incoming.credits:
            for stream_id, increment in incoming.credits:
                outlet.credit(stream_id, increment)
            incoming.credits.clear()

    def _read(self, data: bytes, now: float) -> None:
        parser = self._parser
        parser.receive_data(data)
        while (event := parser.next_event()) is not zttp.NEED_DATA:
            match event:
                case zttp.Request():
                    self._request(event, now)
                case zttp.Data():
                    self._streams.came(event.stream_id, event.data)
                case zttp.EndOfMessage():
                    self._streams.all_came(event.stream_id)
                case zttp.RstStream():
                    self._reset_by(event)

    def _reset_by(self, event: zttp.RstStream) -> None:
        """A stream was cancelled by the player, or refused by the parser."""
        stream_id = event.stream_id
        if stream_id > self._last_id:
            self._last_id = stream_id
            full = event.error_code == frames.REFUSED_STREAM
            self._count_refused("streams-max" if full else "http2-syntax")
        elif stream_id in self._outlet.streams:
            self._resets += 1
            self._streams.drop(stream_id)
            if self._resets == RESETS_MAX:
                self._go_away()

    # the hit path

    def _request(self, event: zttp.Request, now: float) -> None:
        self._last_id = stream_id = event.stream_id
        self._requests += 1
        self._quiet_since = now
        window = self._outlet.begin(stream_id)
        if self._requests == STREAMS_MAX:
            self._go_away()
        if self._is_gone:
            self._streams.reset(stream_id, frames.REFUSED_STREAM)
            return
        shared = self.shared
        lines, facts = shared.lines, self._plain_facts(event)
        entry = None if facts is None else look_up(shared, event.target, facts, self, now)
        if facts is None or entry is None:
            self._slow(event, facts if shared.lines is lines else None, window, now)
            return
        gate = self._streams.hit_gate
        if gate is not None:
            gate.left -= 1
            if gate.left < 0 and not self._streams.lets(gate, event, facts, entry):
                self._slow(event, facts, window, now)
                return
        entry.mark += 1
        counters = shared.counters
        counters.hits += 1
        if facts.selecting or facts.method == b"HEAD":
            hit = part_of(entry, facts, now)
            head, length = hit.head, hit.length
            self._output.answer(stream_id, window, self.blocks.of(head), hit, now)
        else:
            head, length = entry.hit_head(now), entry.length
            block = self.blocks.of(head)
            if length > DIRECT_BYTES_MAX or not self._output.has_sent(
                stream_id, window, block, entry.slices
            ):
                hit = Hit(head, entry.pieces(0, length - 1), length)
                self._output.answer(stream_id, window, block, hit, now)
        counters.hit_bytes += length
        sampler = shared.sampler
        sampler.left -= 1
        if not sampler.left:
            sampler.take(event.target, facts, self.address, entry.stored.status)
        if shared.log is not None:
            asked = asked_by(self.address, b"2", facts.method, facts.host)
            status = int(head[9:12])
            shared.log.hit(now, asked, event.target, status, length, entry.ttl_s(now))

    def _plain_facts(self, event: zttp.Request) -> Facts | None:
        """What a plain request says; a player's fields seldom change from one to the next."""
        headers, method = event.headers, event.method
        facts = self._facts
        if facts is not None and headers == self._headers and method == facts.method:
            return facts if event.end_stream else None
        if method not in _OF_HITS or not event.end_stream:
            return None
        assert isinstance(headers, list)
        facts = self.shared.lines.facts(b"", joined_cookies(headers), method, b"https")
        if facts is not None:
            facts.version = b"2"
            self._facts, self._headers = facts, headers
        return facts

    # the slow path

    def _slow(self, event: zttp.Request, plain: Facts | None, window: int, now: float) -> None:
        """Answer in steps, or refuse."""
        try:
            request = read_request(event, self.shared.limits.url_max_bytes)
        except RefusedHeadError as refusal:
            self._count_refused(refusal.reason)
            head, _, body = refusal.answer().partition(b"\r\n\r\n")
            hit = Hit(head + b"\r\n\r\n", [body], len(body))
            block = self.blocks.of_once(hit.head)
            self._output.answer(event.stream_id, window, block, hit, now)
            return
        stream = self._outlet.open(event.stream_id, window, now)
        self._streams.begin(stream, request, plain)

    # frames out

    def _flush_soon(self) -> None:
        """Write what there is, once whoever writes now has written all of it."""
        if not self._will_flush:
            self._will_flush = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._will_flush = False
        if self.transport.is_closing():
            return
        self._output.flush(monotonic())
        self._streams.drained()
        pause = self._output.is_held
        if pause is not self._has_paused:
            self._has_paused = pause
            self.transport.pause_reading() if pause else self.transport.resume_reading()
        if self._is_gone and not self._outlet.streams:
            self._output.close()

    def _count_refused(self, reason: str) -> None:
        self.shared.accounts.refused(self.address, reason, REFUSALS[reason])

    # time, and the end

    def _tick(self) -> None:
        """Cut streams whose player takes nothing; close a connection that nobody uses."""
        limits, now = self.shared.limits, monotonic()
        if self.transport.is_closing():
            self._end_unless_read(now)
            return
        for stream in [*self._outlet.streams.values()]:
            if stream.waiting_bytes and now - stream.moved_mono >= limits.reader_idle_s:
                self.shared.counters.readers_cut += 1
                self._streams.reset(stream.id, frames.CANCEL)
        quiet_s = now - self._quiet_since
        if not self._outlet.streams and quiet_s >= limits.keep_alive_s:
            self._output.add(frames.goaway(self._last_id, frames.NO_ERROR))
            self._output.close()
            self._end_unless_read(now)
            return
        left_s = limits.keep_alive_s if self._outlet.streams else limits.keep_alive_s - quiet_s
        self._timer = self.loop.call_later(left_s, self._tick)

    def _end_unless_read(self, now: float) -> None:
        """See that a connection that is closing ends, though its player takes nothing more."""
        limits = self.shared.limits
        if self._stall.is_below(1.0, limits.reader_idle_s, transport=self.transport, now_mono=now):
            self.shared.counters.readers_cut += 1
            self.transport.abort()
        else:
            self._timer = self.loop.call_later(limits.keep_alive_s, self._tick)

    def _go_away(self) -> None:
        """Say that this connection ends; what is on its way is still answered (RFC 9113 §6.8)."""
        if not self._is_going:
            self._is_going = True
            self._output.add(frames.goaway(frames.STREAM_MAX, frames.NO_ERROR))
            self.loop.call_later(LAST_STREAMS_S, self._be_gone)

    def _be_gone(self) -> None:
        if not self.transport.is_closing():
            self._is_gone = True
            self._output.add(frames.goaway(self._last_id, frames.NO_ERROR))
            self._flush()

    def _give_up(self, reason: str, error: int | None) -> None:
        """End a connection for what its player does; without `error` the parser has said why."""
        self._count_refused(reason)
        self._streams.drop_all()
        if error is not None:
            self._output.add(frames.goaway(self._last_id, error))
        self._is_gone = True

"""A player's HTTP/2 connection: plain hits are answered here, at once; all else goes to the app.

The parser (zttp) reads frames, undoes HPACK and holds requests to RFC 9113. What is sent is framed
by `frames.py` and `outlet.py`: a body leaves as references within the peer's windows, where the
parser would copy all of it. The parser is told of each response's end only, so that it counts
streams; what it writes for that is dropped.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import zttp
from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from edge import frames
from edge.body import Piece
from edge.cycle import Cycle
from edge.following import Follower
from edge.frames import FloodError, Incoming, head_frames
from edge.heads import Facts, expects_continue, joined_cookies
from edge.hits import Hit, look_up, part_of
from edge.hpack import Blocks
from edge.log_lines import asked_by
from edge.outlet import Outgoing, Outlet, WindowError
from edge.pace import Pace
from edge.refusals import REFUSALS, RefusedHeadError
from edge.scope import Ends, Request, scope_of
from edge.shared import Shared
from edge.stream_player import StreamPlayer
from edge.stream_request import read_request
from edge.windows import WINDOW_BYTES

DIRECT_BYTES_MAX: Final = 16_384  # a body that leaves in one frame, without waiting for a turn
BATCH_BYTES_MAX: Final = 131_072  # of such bodies at once; the others wait
STREAMS_MAX: Final = 3_900  # of one connection: the parser takes 4 096 for a flood
RESETS_MAX: Final = 200  # by the peer, of requests not answered: the parser ends it at 256
LAST_STREAMS_S: Final = 1.0  # after the first GOAWAY, for requests that were on their way
_OF_HITS: Final = frozenset({b"GET", b"HEAD"})


class Http2Protocol:
    """One connection. `shared` and `blocks` come with the class."""

    shared: Shared
    blocks: Blocks

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        del app_state
        self.app = config.loaded_app
        self.loop = _loop or asyncio.get_event_loop()
        self.server_state = server_state
        self.connections = server_state.connections
        self.tasks = server_state.tasks
        self.transport: asyncio.Transport
        self._parser = zttp.Connection(zttp.SERVER, protocol=zttp.HTTP2)
        self._incoming = Incoming(monotonic())
        self._outlet = Outlet()
        self._out: list[Piece] = []  # what the next write begins with
        self._direct_bytes = 0  # of bodies in it
        self._ended: list[int] = []  # streams whose end the parser has to learn
        self._players: dict[int, StreamPlayer] = {}  # streams that are answered in steps
        self._held: set[int] = set()  # streams whose request body is held up
        self._is_full = False  # the transport takes no more
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

    # connection

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Send our settings."""
        self.transport = transport
        self._client: str | None = None  # whom it counts for
        self._ends = Ends(get_local_addr(transport), get_remote_addr(transport), peer=False)
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
        for stream_id in [*self._outlet.streams]:
            self._drop(stream_id)
        self._out.clear()
        if exc is None:
            self.transport.close()

    def forget_lines(self) -> None:
        """Read the next request anew: other policies may make something else of it."""
        self._facts = None

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
        self._is_full = True

    def resume_writing(self) -> None:
        """It does again."""
        self._is_full = False
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
        return self._ends.client[0].encode() if self._ends.client else b"unknown"

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
                    player = self._players.get(event.stream_id)
                    if player is not None and isinstance(player.cycle, Cycle):
                        player.cycle.feed(event.data)
                case zttp.EndOfMessage():
                    player = self._players.get(event.stream_id)
                    if player is not None and isinstance(player.cycle, Cycle):
                        player.cycle.end_of_body()
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
            self._drop(stream_id)
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
            self.reset(stream_id, frames.REFUSED_STREAM)
            return
        lines, facts = self.shared.lines, self._plain_facts(event)
        entry = None if facts is None else look_up(self.shared, event.target, facts, now)
        if facts is None or entry is None:
            self._slow(event, facts if self.shared.lines is lines else None, window, now)
            return
        entry.mark += 1
        self.shared.counters.hits += 1
        if facts.selecting or facts.method == b"HEAD":
            hit = part_of(entry, facts, now)
        else:
            hit = Hit(entry.hit_head(now), entry.pieces(0, entry.length - 1), entry.length)
        self.shared.counters.hit_bytes += hit.length
        log = self.shared.log
        if log is not None:
            asked = asked_by(self.address, b"2", facts.method, facts.host)
            status = int(hit.head[9:12])
            log.hit(now, asked, event.target, status, hit.length, entry.ttl_s(now))
        self._answer(stream_id, window, hit, now)

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

    def _answer(self, stream_id: int, window: int, hit: Hit, now: float) -> None:
        """Send a response that is all there."""
        length, outlet = hit.length, self._outlet
        self._out.append(head_frames(stream_id, self.blocks.of(hit.head), end=not length))
        if not length:
            self._ended.append(stream_id)
        elif (
            length <= min(DIRECT_BYTES_MAX, window, outlet.window)
            and self._direct_bytes < BATCH_BYTES_MAX
            and not self._is_full
        ):
            self._out.append(frames.header(length, frames.DATA, frames.END_STREAM, stream_id))
            self._out += hit.pieces
            self._direct_bytes += length
            outlet.window -= length
            self._incoming.sent(length)
            self._ended.append(stream_id)
        else:
            stream = outlet.open(stream_id, window, now)
            outlet.add(stream, hit.pieces, now, end=True)

    # the slow path

    def _slow(self, event: zttp.Request, plain: Facts | None, window: int, now: float) -> None:
        """Follow a fill if that is all it takes, or let the app answer; or refuse."""
        stream_id = event.stream_id
        try:
            request = read_request(event, self.shared.limits.url_max_bytes)
        except RefusedHeadError as refusal:
            self._count_refused(refusal.reason)
            head, _, body = refusal.answer().partition(b"\r\n\r\n")
            self._answer(stream_id, window, Hit(head + b"\r\n\r\n", [body], len(body)), now)
            return
        player = StreamPlayer(self, self._outlet.open(stream_id, window, now))
        self._players[stream_id] = player
        if plain is not None and plain.method == b"GET" and not plain.selecting:
            follower = self.shared.following.of(player, request.target, plain)
            if follower is not None:
                player.cycle = follower
                follower.go_on()
                return
        self._begin(player, request)

    def go_slow(self, player: StreamPlayer, follower: Follower) -> None:
        """Let the app answer what a follower can't."""
        self._begin(player, Request(follower.target, follower.facts), follower)

    def _begin(
        self, player: StreamPlayer, request: Request, reader: Follower | None = None
    ) -> None:
        cycle = Cycle(
            player,
            method=request.facts.method,
            http_10=False,
            keep_alive=True,
            expects=request.body_length != 0 and expects_continue(request.facts),
        )
        player.cycle = cycle
        if request.body_length == 0:
            cycle.end_of_body()
        scope = scope_of(request, self._ends, cycle, reader)
        cycle.start(self.app, scope, self.tasks, reader)

    # from those who answer in steps

    @property
    def ahead_bytes(self) -> int:
        """What answers in steps have written, and the player has not taken."""
        return sum(player.stream.waiting_bytes for player in self._players.values())

    def send_head(self, stream: Outgoing, head: bytes) -> None:
        """Send a response's head, given as HTTP/1.1 writes it."""
        self._out.append(head_frames(stream.id, self.blocks.of_once(head), end=False))
        self._flush_soon()

    def send_body(self, stream: Outgoing, pieces: Iterable[Piece], *, end: bool) -> None:
        """Send more of a body."""
        self._outlet.add(stream, pieces, monotonic(), end=end)
        self._flush_soon()

    def answered(self, player: StreamPlayer) -> None:
        """All of an answer has been written."""
        self.server_state.total_requests += 1
        stream = player.stream
        if self._players.pop(stream.id, None) is not None:
            self.hold(stream.id, held=False)
            self.send_body(stream, (), end=True)

    def reset(self, stream_id: int, error: int) -> None:
        """End a stream at once."""
        with suppress(zttp.LocalProtocolError):  # it has ended already
            self._parser.stream(stream_id).reset(error)
        self._drop(stream_id)
        self._flush_soon()

    def hold(self, stream_id: int, *, held: bool) -> None:
        """Read nothing more while a stream's request body is held up."""
        if held:
            self._held.add(stream_id)
        else:
            self._held.discard(stream_id)
        self._control_reading()

    def _drop(self, stream_id: int) -> None:
        """Forget a stream and whoever answers it."""
        self._outlet.drop(stream_id)
        self._held.discard(stream_id)
        player = self._players.pop(stream_id, None)
        if player is not None:
            player.disconnect()

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
        outlet, now = self._outlet, monotonic()
        self._tell_parser()
        while True:
            out, self._out, self._direct_bytes = self._out, [], 0
            if outlet.can_send and not self._is_full:
                pieces, size, finished = outlet.take(WINDOW_BYTES, now)
                out += pieces
                self._incoming.sent(size)
                self._ended += finished
            if not out:
                break
            self.transport.write(b"".join(out))
            self._tell_parser()
        for player in [*self._players.values()]:
            player.drained()
        self._control_reading()
        if self._is_gone and not outlet.streams:
            self.transport.close()

    def _tell_parser(self) -> None:
        """Take what the parser wants to send, then tell it which streams have ended."""
        parser = self._parser
        control = parser.data_to_send()
        if control:
            self._out.append(control)
        if self._ended:
            for stream_id in self._ended:
                with suppress(zttp.LocalProtocolError):  # the player has reset it meanwhile
                    parser.stream(stream_id).send_response(200, None, True)
            self._ended.clear()
            parser.data_to_send()  # it has been sent already, with another head

    def _control_reading(self) -> None:
        """Read nothing while the player takes nothing, or a request's body is held up."""
        pause = self._is_full or bool(self._held)
        if pause is not self._has_paused:
            self._has_paused = pause
            self.transport.pause_reading() if pause else self.transport.resume_reading()

    def _count_refused(self, reason: str) -> None:
        self.shared.accounts.refused(self.address, reason, REFUSALS[reason])

    # time, and the end

    def _tick(self) -> None:
        """Cut streams whose player takes nothing; close a connection that nobody uses."""
        limits, now = self.shared.limits, monotonic()
        if self.transport.is_closing():
            return
        for stream in [*self._outlet.streams.values()]:
            if stream.waiting_bytes and now - stream.moved_mono >= limits.reader_idle_s:
                self.shared.counters.readers_cut += 1
                self.reset(stream.id, frames.CANCEL)
        quiet_s = now - self._quiet_since
        if not self._outlet.streams and quiet_s >= limits.keep_alive_s:
            self._out.append(frames.goaway(self._last_id, frames.NO_ERROR))
            self._flush()
            self.transport.close()
            return
        left_s = limits.keep_alive_s if self._outlet.streams else limits.keep_alive_s - quiet_s
        self._timer = self.loop.call_later(left_s, self._tick)

    def _go_away(self) -> None:
        """Say that this connection ends; what is on its way is still answered (RFC 9113 §6.8)."""
        if not self._is_going:
            self._is_going = True
            self._out.append(frames.goaway(frames.STREAM_MAX, frames.NO_ERROR))
            self.loop.call_later(LAST_STREAMS_S, self._be_gone)

    def _be_gone(self) -> None:
        if not self.transport.is_closing():
            self._is_gone = True
            self._out.append(frames.goaway(self._last_id, frames.NO_ERROR))
            self._flush()

    def _give_up(self, reason: str, error: int | None) -> None:
        """End a connection for what its player does; without `error` the parser has said why."""
        self._count_refused(reason)
        for stream_id in [*self._outlet.streams]:
            self._drop(stream_id)
        if error is not None:
            self._out.append(frames.goaway(self._last_id, error))
        self._is_gone = True

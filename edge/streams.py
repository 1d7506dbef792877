"""The streams of one HTTP/2 connection that are answered in steps, and the bodies they bring."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Final

import zttp
from uvicorn.server import ServerState

from edge.body import Piece
from edge.cycle import App, Cycle
from edge.entry import Entry
from edge.following import Follower
from edge.gates import Gate, ProxyGate, Refusal
from edge.heads import Facts, expects_continue
from edge.hpack import Blocks
from edge.inflow import Inflow
from edge.limiting import admit
from edge.outlet import Outgoing
from edge.output import Output
from edge.scope import Ends, Request, scope_of
from edge.shared import Shared
from edge.stream_player import StreamPlayer
from edge.ticket import Ticket

BEHIND_BYTES: Final = 16_384  # of a request's body: an app that has more to take is slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a connection is served with."""

    shared: Shared
    blocks: Blocks
    app: App
    state: ServerState
    ends: Ends


class Streams:
    """Their players, and what these need of the connection (`stream_player.Connection`)."""

    def __init__(self, serving: Serving, output: Output, flush_soon: Callable[[], None]) -> None:
        self.players: dict[int, StreamPlayer] = {}
        self._serving = serving
        self._output = output
        self._outlet = output.outlet
        self._flush_soon = flush_soon
        self._inflow = Inflow()
        self._told: tuple[int, Refusal | None] | None = None  # of a stream that was asked about
        self.take_gate()

    def take_gate(self) -> None:
        """Ask at the gate of the limits in force from now on."""
        gates = self._serving.shared.gates
        self._gate = None if gates is None else gates.at(self.address)
        self.hit_gate = self._gate if gates is not None and gates.counts_hits else None

    def lets(self, gate: Gate | ProxyGate, event: zttp.Request, facts: Facts, entry: Entry) -> bool:
        """Whether a plain hit passes; else `begin` refuses it, or has its body paced."""
        said = gate.hit(facts, event.target, entry, monotonic())
        if said is not True:
            self._told = event.stream_id, said or None
        return said is True

    def begin(self, stream: Outgoing, request: Request, plain: Facts | None) -> None:
        """Follow a fill if that is all it takes, or let the app answer."""
        player = self.players[stream.id] = StreamPlayer(self, stream)
        gate = None if self._gate is None else self._gate.of(request.facts)
        if gate is None:
            admitted: Refusal | Ticket | None = None
        elif self._told is not None and self._told[0] == stream.id:
            refusal = self._told[1]
            admitted = refusal or admit(gate, request.facts, request.target, counted=True)
        else:
            admitted = admit(gate, request.facts, request.target, counted=False)
        if isinstance(admitted, Refusal):
            self._refuse(player, request, admitted)
            return
        holds = admitted is not None and bool(admitted.held or admitted.paced)
        if plain is not None and plain.method == b"GET" and not plain.selecting and not holds:
            follower = self._serving.shared.following.of(player, request.target, plain)
            if follower is not None:
                player.cycle = follower
                follower.go_on()
                return
        self._begin(player, request, admitted=admitted)

    def _refuse(self, player: StreamPlayer, request: Request, refusal: Refusal) -> None:
        """Say that a request was too much."""
        is_head = request.facts.method == b"HEAD"
        head, _, body = refusal.answer(head_only=is_head).partition(b"\r\n\r\n")
        self.send_head(player.stream, head + b"\r\n\r\n")
        if body:
            self.send_body(player.stream, [body], end=False)
        accounts = self._serving.shared.accounts
        accounts.limited(self.address, request.target, request.facts, refusal)
        self.answered(player)

    def go_slow(self, player: StreamPlayer, follower: Follower) -> None:
        """Let the app answer what a follower can't."""
        self._begin(player, Request(follower.target, follower.facts), follower)

    def _begin(
        self,
        player: StreamPlayer,
        request: Request,
        reader: Follower | None = None,
        admitted: Ticket | None = None,
    ) -> None:
        serving = self._serving
        cycle = Cycle(
            player,
            method=request.facts.method,
            http_10=False,
            keep_alive=True,
            expects=request.body_length != 0 and expects_continue(request.facts),
        )
        cycle.admitted = admitted
        player.cycle = cycle
        if request.body_length == 0:
            cycle.end_of_body()
        scope = scope_of(request, serving.ends, cycle, reader)
        cycle.start(serving.app, scope, serving.state.tasks, reader)

    # bodies of requests

    def came(self, stream_id: int, data: bytes) -> None:
        """Hand on a part of a body; nobody listens when the answer is out."""
        cycle = self._cycle(stream_id)
        if cycle is not None:
            cycle.feed(data)

    def all_came(self, stream_id: int) -> None:
        """It was the last part."""
        cycle = self._cycle(stream_id)
        if cycle is not None:
            cycle.end_of_body()
        else:
            self._output.add(self._inflow.end(stream_id))

    def count(self, bodies: list[tuple[int, int]]) -> None:
        """Count the (stream, bytes) that came, and open windows where they were taken.

        Raises WindowError.
        """
        for stream_id, size in bodies:
            self._inflow.came(stream_id, size)
        for stream_id, _ in bodies:
            cycle = self._cycle(stream_id)
            if cycle is None or len(cycle.body) <= BEHIND_BYTES:
                self._output.add(self._inflow.took(stream_id))
        self._output.add(self._inflow.connection())

    def wants_more(self, stream_id: int) -> None:
        """Open a stream's window: what came of its request's body has been taken."""
        self._output.add(self._inflow.took(stream_id))
        self._flush_soon()

    def _cycle(self, stream_id: int) -> Cycle | None:
        player = self.players.get(stream_id)
        cycle = None if player is None else player.cycle
        return cycle if isinstance(cycle, Cycle) else None

    # answers

    @property
    def address(self) -> bytes:
        """The player's."""
        client = self._serving.ends.client
        return client[0].encode() if client else b"unknown"

    @property
    def ahead_bytes(self) -> int:
        """What answers in steps have written, and the player has not taken."""
        return sum(player.stream.waiting_bytes for player in self.players.values())

    def send_head(self, stream: Outgoing, head: bytes) -> None:
        """Send a response's head, given as HTTP/1.1 writes it."""
        self._output.head(stream, self._serving.blocks.of_once(head))
        self._flush_soon()

    def send_body(self, stream: Outgoing, pieces: Iterable[Piece], *, end: bool) -> None:
        """Send more of a body."""
        self._outlet.add(stream, pieces, monotonic(), end=end)
        self._flush_soon()

    def answered(self, player: StreamPlayer) -> None:
        """All of an answer has been written."""
        self._serving.state.total_requests += 1
        stream = player.stream
        player.cycle = None  # no cycle of references outlives the answer
        if self.players.pop(stream.id, None) is not None:
            self._output.add(self._inflow.end(stream.id))
            self.send_body(stream, (), end=True)

    def reset(self, stream_id: int, error: int) -> None:
        """End a stream at once."""
        self._output.reset(stream_id, error)
        self.drop(stream_id)
        self._flush_soon()

    def drop(self, stream_id: int) -> None:
        """Forget a stream and whoever answers it."""
        self._outlet.drop(stream_id)
        self._output.add(self._inflow.end(stream_id))
        player = self.players.pop(stream_id, None)
        if player is not None:
            player.disconnect()

    def lost(self) -> None:
        """The connection is gone, and is not to be kept by a cycle of references."""
        self.drop_all()
        self._flush_soon = _do_nothing

    def drop_all(self) -> None:
        """Forget all that are being answered."""
        for stream_id in [*self._outlet.streams]:
            self.drop(stream_id)

    def drained(self) -> None:
        """Tell those who wait when there is room again."""
        for player in [*self.players.values()]:
            player.drained()


def _do_nothing() -> None:
    """What a connection that is gone is asked for."""

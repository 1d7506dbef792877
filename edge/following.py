"""Plain GETs that miss: each follows a running fill by call-backs, without a task of its own.

A task for each of a hundred who wait for one object took 150 us, this takes 20.
"""

from dataclasses import dataclass
from time import monotonic
from typing import Final, Protocol, TypeAlias

from cache_policies.key import hides_token, normalise
from cache_policies.message import Fields, RequestHead
from edge.accounts import Account, Accounts, Asking
from edge.admission import Admission
from edge.asking import Asked
from edge.body import Piece
from edge.collapse import Fill, FillReader, Phase
from edge.delivery import BODILESS
from edge.door import MARK, Door, opens_anyhow
from edge.entry import Entry, early_head
from edge.filling import Filler
from edge.forwarding import cleaned
from edge.heads import Facts
from edge.limiting import Limiting
from edge.outcome import failed
from edge.player import Player
from edge.purges import PurgeFollower
from edge.steering.in_force import Steering
from edge.variants import Variants

BURST_BYTES: Final = 262_144  # handed over at once, before looking whether the player takes it
_OWN: Final = b"/.amaro/"


class Followed(Player, Protocol):
    """A player that can go another way."""

    def go_slow(self, follower: "Follower") -> None:
        """Let the app answer, with the follower's place in the fill."""


Request: TypeAlias = tuple[Followed, bytes, Facts]  # who asks, for which target, how


@dataclass(kw_only=True, slots=True)
class Following:
    """Finds or begins the fill that answers a plain GET; one per worker."""

    filler: Filler
    accounts: Accounts
    purges: PurgeFollower
    door: Door
    limiting: Limiting
    admission: Admission
    steering: Steering

    def of(self, player: Followed, target: bytes, facts: Facts) -> "Follower | None":
        """A follower for a request without conditions; None when only the app can answer it."""
        filler, fills, memory = self.filler, self.filler.fills, self.filler.memory
        limits = filler.limits
        if target.startswith(_OWN) or len(target) > limits.url_max_bytes:
            return None
        if fills.waiting >= limits.waiters_max:
            return None
        policies = filler.in_force.policies
        bare, opened = target, False
        if target[:2] == MARK:
            looked = self.door.look(target, facts, player.address, monotonic())
            if looked is None:
                return None
            bare, opened = looked[0], looked[1] is not None
            if opened and not opens_anyhow(bare, opened):
                return None
        elif hides_token(target):
            return None
        if self._is_for_the_app(bare, facts, opened=opened):
            return None
        target_keyed = policies.reduced(facts.host, normalise(bare)[1])
        key = facts.prefix + target_keyed
        found = memory.index.get(key)
        if isinstance(found, Entry):
            return None  # it is stale, or not all there
        vary = found.vary if type(found) is Variants else fills.vary(key)
        variant = facts.variant(vary)
        if type(found) is Variants and variant in found.entries:
            return None
        now_mono = monotonic()
        fill = fills.find(key, variant, now_mono)
        if fill is not None:
            return Follower(self, fill, (player, target, facts))
        if (key, now_mono) in filler.uncacheable or not self.admission.may_fill(key):
            return None
        # an origin sees no more than is keyed
        request = RequestHead(b"GET", facts.scheme, facts.host, target_keyed, cleaned(facts.fields))
        fill = Fill(key, variant, request, sequence=self.purges.applied, stale=None)
        follower = Follower(self, fill, (player, target, facts), leads=True)
        fills.add(fill)
        fills.noticed(key)
        client = self.accounts.clients.proxies.client(player.address, facts.fields)
        asked = Asked(client=client, early=follower.early)
        self.admission.start_fill(key, filler.run(fill, asked))
        return follower

    def _is_for_the_app(self, target: bytes, facts: Facts, *, opened: bool) -> bool:
        """Whether rules have the request go past the cache, or reach an origin with less in it.

        Playlists that get a tag are for the app, too: a follower has its bytes as they come.
        """
        if self.steering.tag_for(target) is not None:
            return True
        policies = self.filler.in_force.policies
        if not (policies.rules or policies.aliases):
            return False
        asked = RequestHead(b"GET", facts.scheme, facts.host, target, cleaned(facts.fields))
        if policies.host(facts.scheme, facts.host) != facts.host:
            return True  # an alias
        policy = policies.for_request(asked)
        stripped = policy.stripped_request
        if policy.signed and not opened:
            return True
        return policy.bypass or any(name in stripped for name, _ in asked.fields)


class Follower(FillReader):
    """One request on its way. Stands where a `Cycle` does while the app answers."""

    __slots__ = (
        "_account",
        "_chunked",
        "_following",
        "_player",
        "_waits",
        "facts",
        "keep_alive",
        "response_complete",
        "target",
    )

    def __init__(
        self,
        following: Following,
        fill: Fill,
        request: Request,
        *,
        leads: bool = False,
    ) -> None:
        miss = following.filler.memory.miss(fill.key)
        super().__init__(fill, following.purges.applied, leads=leads, miss=miss)
        self._following = following
        self._player, self.target, self.facts = request
        self._account = Account(following.accounts)
        self._waits = True  # for the head
        self._chunked = False
        self.keep_alive = True
        self.response_complete = False
        following.filler.fills.waiting += 1
        fill.rounds.follow(self)

    def go_on(self) -> None:
        """Send what is there, as far as the player takes it. Called after each change."""
        fill = self.fill
        if not self._waits:
            self._send([])
        elif fill.phase is not Phase.ASKED:
            self._wait_no_more()
            if self._is_answered():
                self._send([self._head()])
            else:
                fill.rounds.unfollow(self)
                self._player.go_slow(self)

    def writable(self) -> None:
        """The player reads again."""
        if not self._waits:
            self._send([])

    def disconnect(self) -> None:
        """The player is gone; it may have been given all there is, before the fill has ended."""
        stored = self.fill.stored
        self._close_account(cut=stored is None or self.offset != stored.length)
        self.close()

    def close(self) -> None:
        """Leave the fill."""
        self.fill.rounds.unfollow(self)
        self._wait_no_more()
        super().close()

    def early(self, fields: Fields) -> None:
        """Send early hints while the head is awaited."""
        if self._waits:
            self._player.transport.write(early_head(fields))

    def _wait_no_more(self) -> None:
        self._following.filler.fills.waiting -= self._waits
        self._waits = False

    def _is_answered(self) -> bool:
        """Whether what the fill keeps is this request's answer too."""
        fill, stored = self.fill, self.fill.stored
        if fill.phase not in (Phase.KEPT, Phase.COMPLETE) or stored is None:
            return False
        if stored.status in BODILESS or (fill.leader is self and fill.withholds):
            return False
        shared = fill.leader is self or (
            not fill.exclusive and self.facts.variant(stored.vary) == stored.variant
        )
        return shared and not self._following.filler.memory.purged_since(
            fill.sequence, fill.key, fill.tags, until=self.sequence
        )

    def _head(self) -> bytes:
        fill, leads = self.fill, self.fill.leader is self
        assert fill.stored is not None
        saying = fill.saying(self.miss, monotonic(), leads=leads)
        self._following.accounts.counters.collapsed += not leads
        self._account.answered(saying.outcome)
        self._chunked = fill.stored.length is None and self._player.chunks
        self.keep_alive = not self._player.is_ending
        return saying.head + (b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")

    def _send(self, out: list[Piece]) -> None:
        fill, body, transport = self.fill, self.fill.body, self._player.transport
        before = self.offset
        while out or not self._player.flow.write_paused:
            burst_bytes = 0
            while burst_bytes < BURST_BYTES and (piece := body.read(self.offset)):
                self.offset += len(piece)
                burst_bytes += len(piece)
                if self._chunked:
                    out += (b"%x\r\n" % len(piece), piece, b"\r\n")
                else:
                    out.append(piece)
            if not out:
                break
            transport.writelines(out)
            out = []
        if self.offset != before:
            fill.moved()
        if self.offset < body.size:
            return
        if fill.phase is Phase.COMPLETE:
            self._complete()
        elif fill.error is not None:
            self._account.outcome = failed(fill.error.detail)
            self._close_account(cut=True)
            self.close()
            transport.abort()

    def _close_account(self, *, cut: bool = False) -> None:
        account, facts, stored = self._account, self.facts, self.fill.stored
        account.sent_bytes = self.offset
        address = self._player.address
        asking = Asking(
            client=address,
            method=facts.method,
            host=facts.host,
            target=self.target,
            http=facts.version,
            address=address,
            prefix=facts.prefix,
            fields=facts.fields,
        )
        account.close(asking, stored.status if stored is not None else 0, cut=cut)

    def _complete(self) -> None:
        if self._chunked:
            self._player.transport.write(b"0\r\n\r\n")
        self.response_complete = True
        self._close_account()
        self.close()
        if not self.keep_alive:
            self._player.transport.close()
        self._player.on_response_complete()

"""The door to what rules keep shut: tokens are taken off here, once they were verified.

Nothing behind it ever sees a token: no key, no rule, no origin and no log.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Protocol

from cache_policies.access import Denial, Grant, verify
from cache_policies.access_path import is_strict
from cache_policies.access_ring import Ring, parse_ring
from cache_policies.key import hides_token, split_token
from cache_policies.message import RequestHead
from cache_policies.policies import Policies
from edge.clients import TrustedProxies
from edge.heads import Facts

MARK: Final = b"/~"  # what a target with a token begins with
_NAME: Final = slice(2, 24)
"""Where a target has its token's first 22 characters: they are its signature, so nobody can make
another token that has them. To hash these takes 0.1 us less than to find and hash it all."""


@dataclass(slots=True)
class Known:
    """A token that was verified; nothing in it changes. (A frozen one takes 2 us to make.)"""

    lead: bytes  # with what every target begins that it opens
    cut: int  # how much of that is the token
    network: bytes  # that it is bound to
    until_mono: float
    ring: Ring  # by which it was verified
    grant: Grant


class Holder(Protocol):
    """A player's connection: most of its requests come with the token of the one before."""

    known: Known | None
    known_facts: Facts | None  # of the request that it came with

    @property
    def address(self) -> bytes:
        """Where it comes from."""


class Door:
    """One per worker. A token is remembered until it expires, or until the ring is another one."""

    def __init__(self, region: str, proxies: TrustedProxies, known_max: int) -> None:
        self.ring: Ring | None = None  # without one, nothing that is shut opens
        self._region = region.encode()
        self._proxies = proxies
        self._known: dict[bytes, Known] = {}  # all by the ring of now
        self._recall = self._known.get
        self._known_max = known_max

    def __len__(self) -> int:
        return len(self._known)

    def follow(self, text: str | None) -> None:
        """Verify by other keys and revocations from now on; the supervisor has read them."""
        self.ring = None if text is None else parse_ring(text)
        self._known.clear()

    async def open_with(self, text: str) -> bool:
        """Do so because the supervisor asks."""
        self.follow(text)
        return True

    def enter(self, target: bytes, facts: Facts, holder: Holder, now_mono: float) -> bytes | None:
        """Return a target without the token that opens it, or one that has none as it is.

        None when the token does not open it: `admit` says why. That the path is plain is not looked
        at, because nothing that is shut is stored under any other.
        """
        known = holder.known
        if known is not None and target.startswith(known.lead):  # 0.2 us
            if (
                now_mono < known.until_mono
                and known.ring is self.ring
                and (not known.network or holder.known_facts is facts)
            ):
                return target[known.cut :]
        else:  # 0.35 us: a connection's requests have several tokens in turn
            known = self._recall(target[_NAME])
            if (
                known is not None
                and target.startswith(known.lead)
                and now_mono < known.until_mono
                and not known.network
            ):
                holder.known = known
                return target[known.cut :]
        found = self.look(target, facts, holder.address, now_mono)
        if found is None:
            return None
        bare, holder.known = found
        holder.known_facts = facts
        return bare

    def look(
        self, target: bytes, facts: Facts, address: bytes, now_mono: float
    ) -> tuple[bytes, Known | None] | None:
        """Return a target without its token, and the token if it opens it; None when it does not.

        Without keys nothing opens.
        """
        known = self._known.get(target[_NAME])
        if known is None or now_mono >= known.until_mono:
            token, bare = split_token(target)
            if not token or self.ring is None:
                return bare, None
            known = self._learn(token, self.ring, now_mono)
            if known is None:
                return None
        if not target.startswith(known.lead):
            return None
        if known.network and not known.grant.is_for(self._proxies.client(address, facts.fields)):
            return None
        return target[known.cut :], known

    def admit(self, policies: Policies, request: RequestHead, client: bytes) -> bytes | Denial:
        """Return what a request asks for, without its token, or why it may not have that."""
        target = request.target
        token, bare = split_token(target)
        if token and self.ring is not None:
            return self._judge(token, bare, client)
        if hides_token(target):
            return Denial.PATH  # whatever it opens, no origin is to be told of it
        if not policies.is_guarded(request.scheme, request.host, bare):
            return bare
        return Denial.KEY if token else Denial.MISSING

    def _judge(self, token: bytes, bare: bytes, client: bytes) -> bytes | Denial:
        assert self.ring is not None
        grant = verify(self.ring, token, time.time())
        if isinstance(grant, Denial):
            return grant
        denial = grant.denial(bare, self._region)
        if denial is None and not grant.is_for(client):
            return Denial.CLIENT
        return bare if denial is None else denial

    def _learn(self, token: bytes, ring: Ring, now_mono: float) -> Known | None:
        """Verify a token and remember it, when it opens anything here."""
        now_wall = time.time()
        grant = verify(ring, token, now_wall)
        if isinstance(grant, Denial) or grant.region not in (b"", self._region):
            return None
        if len(self._known) >= self._known_max:
            self._known.clear()  # those in use are back within a request
        lead = MARK + token + grant.prefix
        known = self._known[lead[_NAME]] = Known(
            lead=lead,
            cut=len(MARK) + len(token),
            network=grant.network,
            until_mono=now_mono + grant.expires_wall + ring.grace_s - now_wall,
            ring=ring,
            grant=grant,
        )
        return known


def opens_anyhow(target: bytes, opened: bool) -> bool:
    """Whether a token that opens a target and what is stored there may meet after all.

    For what needs none but is asked for with one: its path must be as plain as if it were needed.
    """
    return opened and not split_token(target)[0] and is_strict(target.partition(b"?")[0])

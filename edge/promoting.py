"""What lower tiers hold, as a fill takes it: judged anew, then read slice by slice."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final

from cache_policies.cache_status import CacheStatus, Forward
from cache_policies.freshness import may_serve_on_error, must_validate
from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.policies import Policies
from cache_policies.policy import CachePolicy
from cache_policies.rejudge import rejudge
from cache_policies.reuse import may_reuse, stale_if_error_asked_s
from cache_policies.stored import Stored, Times
from cache_policies.storing import NoStore, is_for_others
from cache_policies.validation import conditional_fields, freshen
from cache_policies.why import Reuse, Why
from edge.arena import SLICE_BYTES, Slice
from edge.asking import SERVER_ERRORS, Received
from edge.collapse import Fill
from edge.counters import Counters
from edge.entry import Entry
from edge.errors import StorageError, UnvalidatedError, UpstreamError
from edge.fetch import Response
from edge.held import HeldResponse, combines_by, expired_since, stored_form
from edge.purged import Purged
from edge.reading import Account
from edge.resuming import ResumingResponse
from edge.sliced import SlicedEntry
from edge.tier import Held, Tier

_STANDS_IN: Final = CacheStatus(detail=Why.STALE_IF_ERROR.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a tier holds for a request. Its response must be closed."""

    stored: Stored
    times: Times
    held: HeldResponse
    response: Response  # what is held, and the rest of it from the origin if it breaks
    says: CacheStatus
    is_reusable: bool  # it answers as it is
    by_slices: bool  # those that are wanted are found one by one
    trusted: bool  # whether its times are known
    tier: str  # that holds it
    on_error_s: float  # for how long the request takes it stale when the origin fails
    renewed: bool = False  # the origin has just said that it is still good
    own: bool = False  # it said so to one player, whose alone the answer is

    @property
    def head(self) -> ResponseHead:
        """The head that answers: with the fields of now, if it was validated (RFC 9111 §4.3.4)."""
        stored = self.stored
        return stored.head if self.renewed else self.held.head

    def may_stand_in(self) -> bool:
        """Whether it answers now that the origin has failed (RFC 5861 §4)."""
        now_mono = time.monotonic()  # much later than it was found, if the origin was waited for
        return self.trusted and may_serve_on_error(self.stored, now_mono, self.on_error_s)


@dataclass(kw_only=True, slots=True)
class LowerTiers:
    """The tiers below memory, nearest first, and what must not be served from them any more."""

    counters: Counters
    account: Account  # of what waits to be sent
    whole_max_bytes: int  # larger bodies are never read whole into memory
    tiers: tuple[Tier, ...] = ()
    purged: Purged = field(default_factory=Purged)

    async def answer(
        self, fill: Fill, policies: Policies, ask: Callable[[Fields], Awaitable[Received]]
    ) -> Found | Received | None:
        """What is held for a fill, validated where it must be; or what the origin has instead.

        `ask` sends the fill's request upstream with further fields. None when nothing is held.
        """
        found = await self._find(fill.key, fill.request, policies, seeks=fill.slice_no is not None)
        if found is None:
            return None
        answer: Found | Received | None = found
        try:
            if not found.is_reusable:
                answer = await self._validated(found, fill, policies, ask)
            if isinstance(answer, Found):
                return answer if answer.by_slices else await self._begun(answer, ask)
        except StorageError:
            answer = None
        except BaseException:
            found.held.close()
            raise
        found.held.close()
        return answer

    async def _begun(self, found: Found, ask: Callable[[Fields], Awaitable[Received]]) -> Found:
        """`found` with something of its body verified, and somebody to ask when more is broken."""
        head, etag = found.held.head, combines_by(found.held.head)
        await found.held.begin(may_break=etag is not None)
        self.counters.of_tier(found.tier, "hits")
        if etag is None:
            return found

        async def rest(fields: Fields) -> tuple[Response, ResponseHead]:
            received = await ask(fields)
            return received.response, received.head

        return replace(found, response=ResumingResponse(found.held, head, etag, rest))

    def without(self, found: Found | None) -> tuple[Tier, ...]:
        """The tiers that may want what was found in one of them: those that are nearer.

        All may, if it was found in none, or was renewed.
        """
        if found is None or found.renewed:
            return self.tiers
        return tuple(takewhile(lambda tier: tier.name != found.tier, self.tiers))

    def offer(
        self,
        entry: Entry,
        policy: CachePolicy,
        *,
        second_hand: bool,
        tiers: tuple[Tier, ...] | None = None,
    ) -> None:
        """Let lower tiers, or some of them, keep what memory has just stored or freshened.

        What comes second hand another worker has, and may have given them already.
        """
        if policy.disk:
            for tier in self.tiers if tiers is None else tiers:
                tier.offer(entry, after=policy.disk_after, second_hand=second_hand)

    def offer_slice(
        self, entry: SlicedEntry, slice_no: int, data: Slice, *, second_hand: bool
    ) -> None:
        """Let lower tiers keep one more slice of an entry."""
        for tier in self.tiers:
            tier.offer_slice(entry, slice_no, data, second_hand=second_hand)

    async def room(self) -> None:
        """Wait until lower tiers take one slice more, for a moment at most."""
        for tier in self.tiers:
            await tier.room()

    def may_hold(self, length: int, policy: CachePolicy) -> bool:
        """Whether some tier would keep a body that memory cannot, by slices."""
        return policy.disk and policy.slices and bool(self.names_for(length))

    def names_for(self, length: int) -> tuple[str, ...]:
        """The tiers that would keep a body of this length, by name."""
        return tuple(tier.name for tier in self.tiers if length <= tier.object_max_bytes)

    def admits(self, key: bytes, variant: bytes, policy: CachePolicy) -> bool:
        """Note a request for such a body; whether it was asked for often enough by now."""
        asked = [tier.asked(key, variant) for tier in self.tiers]  # each of them counts
        return max(asked, default=0) >= policy.disk_after

    async def head(self, key: bytes, request: RequestHead, policies: Policies) -> Found | None:
        """What answers a request that needs no body; it is closed already."""
        found = await self._find(key, request, policies, seeks=False)
        if found is None:
            return None
        found.held.close()
        return found if found.is_reusable else None

    def asked_for(self, request: RequestHead, policies: Policies) -> tuple[Tier, ...]:
        """The tiers that may answer a request, nearest first."""
        return self.tiers if policies.for_request(request).disk else ()

    async def _find(
        self, key: bytes, request: RequestHead, policies: Policies, *, seeks: bool
    ) -> Found | None:
        """What is held for a request, which `seeks` when it wants no more than a part."""
        for tier in self.asked_for(request, policies):
            held = await tier.find(key, request.fields)
            if held is None:
                self.counters.of_tier(tier.name, "misses")
                continue
            found = self._judged(tier, held, key, request, policies)
            if found is not None and seeks and held.length > SLICE_BYTES:
                found = replace(found, by_slices=combines_by(held.head) is not None)
            if found is None:
                held.drop()
            elif found.is_reusable or conditional_fields(found.stored):
                return found
            else:
                self.counters.of_tier(tier.name, "stale")
                held.close()
        return None

    def _judged(
        self, tier: Tier, held: Held, key: bytes, request: RequestHead, policies: Policies
    ) -> Found | None:
        """What `held` is worth to this request; None when it is worth nothing to any."""
        stored = stored_form(held, request, policies)
        is_large = held.is_sliced or held.length > self.whole_max_bytes
        combines = combines_by(held.head) is not None
        if stored is None or (held.is_sliced and not combines):
            return None
        tags = (*held.tags, *stored.tags)
        if self.purged.since(stored.purge_sequence, key, tags):
            self.counters.of_tier(tier.name, "purged")
            return None
        now_mono, now_wall = time.monotonic(), time.time()
        purged_wall = self.purged.softly_since(stored.purge_sequence, key, tags)
        if purged_wall is not None:
            stored = expired_since(stored, purged_wall, now_wall, now_mono)
        policy = policies.for_response(request, held.head)
        reuse = may_reuse(request, stored, policy, now_mono).reuse
        response = HeldResponse(held, self.account)
        return Found(
            stored=stored if stored.length == held.length else replace(stored, length=held.length),
            times=held.times,
            held=response,
            response=response,
            says=CacheStatus(detail=tier.name),
            by_slices=is_large and combines,
            is_reusable=held.trusted and reuse is not Reuse.EXPIRED,
            trusted=held.trusted,
            tier=tier.name,
            on_error_s=stale_if_error_asked_s(request, policy),
        )

    async def _validated(
        self,
        found: Found,
        fill: Fill,
        policies: Policies,
        ask: Callable[[Fields], Awaitable[Received]],
    ) -> Found | Received | None:
        """What the origin makes of it; None when it has to be asked again, without conditions."""
        self.counters.of_tier(found.tier, "stale")
        try:
            received = await ask(conditional_fields(found.stored))
        except UpstreamError as error:
            if must_validate(found.stored, time.monotonic()):
                raise UnvalidatedError.instead_of(error) from None
            if not found.may_stand_in():
                raise
            return replace(found, says=_STANDS_IN)
        if received.head.status in SERVER_ERRORS and found.may_stand_in():
            received.response.close()
            return replace(found, says=_STANDS_IN)
        policy = policies.for_response(fill.request, found.held.head)
        if received.head.status != 304:
            if received.head.status < 500 and is_for_others(fill.request, received.head, policy):
                found.held.drop()  # it has been replaced
            return received
        received.response.close()
        fresh = freshen(
            found.stored,
            received.head,
            received.times,
            policy,
            purge_sequence=received.as_of(fill.sequence),
        )
        judged = None if fresh is None else rejudge(fresh, fill.request, policies)
        if judged is None or isinstance(judged, NoStore):
            if is_for_others(fill.request, received.head, policy):
                found.held.drop()
            return None
        fresh = replace(judged.stored, length=found.stored.length)
        says = replace(found.says, forward=Forward.STALE, forward_status=304)
        own = not is_for_others(fill.request, fresh.head, policy)
        return replace(
            found,
            stored=fresh,
            times=received.times,
            says=says,
            renewed=True,
            own=own,
            by_slices=found.by_slices and not own,  # else memory would keep them for everybody
        )

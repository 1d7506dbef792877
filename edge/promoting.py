"""What lower tiers hold, as a fill takes it: judged anew, then read slice by slice."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from cache_policies.cache_status import CacheStatus, Forward
from cache_policies.freshness import current_age_s, may_serve_on_error, must_validate
from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.partial import strong_etag
from cache_policies.policies import Policies
from cache_policies.policy import CachePolicy
from cache_policies.rejudge import judge_anew, rejudge
from cache_policies.reuse import may_reuse, stale_if_error_asked_s
from cache_policies.stored import Stored, Times, parse_length
from cache_policies.storing import NoStore
from cache_policies.validation import conditional_fields, freshen
from cache_policies.why import Reuse, Why
from edge.arena import SLICE_BYTES
from edge.asking import SERVER_ERRORS, Received
from edge.collapse import Fill
from edge.counters import Counters
from edge.entry import Entry
from edge.errors import StorageError, UnvalidatedError, UpstreamError
from edge.fetch import Response
from edge.purged import Purged
from edge.resuming import ResumingResponse
from edge.tier import Held, Tier

VERIFIED_MAX: Final = 16  # slices verified before the first is sent
_STANDS_IN: Final = CacheStatus(detail=Why.STALE_IF_ERROR.value)


def stored_form(held: Held, request: RequestHead, policies: Policies) -> Stored | None:
    """What `held` is under the policies of now; None when it may not be stored by them.

    Where they name other variants than those it was stored under, nobody knows whose this one is.
    """
    judged = judge_anew(
        request, held.head, held.times, policies, purge_sequence=held.purge_sequence
    )
    if isinstance(judged, NoStore) or judged.stored.vary != held.vary:
        return None
    return judged.stored if parse_length(held.head) in (None, held.length) else None


def expired_since(stored: Stored, purged_wall: float, now_wall: float, now_mono: float) -> Stored:
    """`stored` as a soft purge leaves it: stale from then on, and from now on at the latest."""
    since_s = max(0.0, now_wall - purged_wall)
    lifetime_s = max(0.0, current_age_s(stored, now_mono) - since_s)
    return replace(stored, lifetime_s=min(stored.lifetime_s, lifetime_s))


class HeldResponse:
    """A held response as a fill reads it; what breaks does so like an upstream that is cut off.

    The rest then comes from the origin, where a strong validator tells that it is of the same
    bytes; without one all of a body that is not huge is verified before anybody sees a byte.
    """

    def __init__(self, held: Held) -> None:
        self.head = held.head
        self.status = held.head.status
        self.fields: Fields = held.head.fields
        self.length: int | None = held.length
        self._held = held
        self._verified: deque[bytes] = deque()
        self._slice_no = 0

    async def begin(self, *, may_break: bool) -> None:
        """Have the first slice verified, or all that may not break later. Raises StorageError."""
        slices = -(-self._held.length // SLICE_BYTES)
        wanted = 1 if may_break or slices > VERIFIED_MAX else slices
        for slice_no in range(min(wanted, slices)):
            self._verified.append(await self._held.read(slice_no))

    async def read(self) -> bytes:
        """The next slice, b"" at the end; raises UpstreamError."""
        if self._slice_no * SLICE_BYTES >= self._held.length:
            return b""
        if self._verified:
            data = self._verified.popleft()
        else:
            try:
                data = await self._held.read(self._slice_no)
            except StorageError as error:
                raise UpstreamError("truncated", str(error)) from None
        self._slice_no += 1
        return data

    def close(self) -> None:
        """Let go of what is held."""
        self._held.close()

    def drop(self) -> None:
        """Let go of it, and have the tier forget it."""
        self._held.drop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a tier holds for a request. Its response must be closed."""

    stored: Stored
    times: Times
    held: HeldResponse
    response: Response  # what is held, and the rest of it from the origin if it breaks
    says: CacheStatus
    is_reusable: bool  # it answers as it is
    may_stand_in: bool  # it answers when the origin fails (RFC 5861 §4)
    renewed: bool = False  # the origin has just said that it is still good


@dataclass(kw_only=True, slots=True)
class LowerTiers:
    """The tiers below memory, nearest first, and what must not be served from them any more."""

    counters: Counters
    tiers: tuple[Tier, ...] = ()
    purged: Purged = field(default_factory=Purged)

    async def answer(
        self, fill: Fill, policies: Policies, ask: Callable[[Fields], Awaitable[Received]]
    ) -> Found | Received | None:
        """What is held for a fill, validated where it must be; or what the origin has instead.

        `ask` sends the fill's request upstream with further fields. None when nothing is held.
        """
        found = await self._find(fill.key, fill.request, policies)
        if found is None:
            return None
        answer: Found | Received | None = found
        try:
            if not found.is_reusable:
                answer = await self._validated(found, fill, policies, ask)
            if isinstance(answer, Found):
                return await self._begun(answer, ask)
        except StorageError:
            answer = None
        except BaseException:
            found.held.close()
            raise
        found.held.close()
        return answer

    async def _begun(self, found: Found, ask: Callable[[Fields], Awaitable[Received]]) -> Found:
        """`found` with something of its body verified, and somebody to ask when more is broken."""
        head = found.held.head
        etag = strong_etag(head) if head.status == 200 else None
        await found.held.begin(may_break=etag is not None)
        self.counters.disk_hits += 1
        if etag is None:
            return found

        async def rest(fields: Fields) -> tuple[Response, ResponseHead]:
            received = await ask(fields)
            return received.response, received.head

        return replace(found, response=ResumingResponse(found.held, head, etag, rest))

    def offer(self, entry: Entry, policy: CachePolicy, *, second_hand: bool) -> None:
        """Let lower tiers keep a copy of what memory has just stored or freshened.

        What comes second hand another worker has, and may have given them already.
        """
        if policy.disk:
            for tier in self.tiers:
                tier.offer(entry, after=policy.disk_after, second_hand=second_hand)

    async def _find(self, key: bytes, request: RequestHead, policies: Policies) -> Found | None:
        for tier in self.tiers if policies.for_request(request).disk else ():
            held = await tier.find(key, request.fields)
            if held is None:
                self.counters.disk_misses += 1
                continue
            found = self._judged(tier, held, key, request, policies)
            if found is None:
                held.drop()
            elif found.is_reusable or conditional_fields(found.stored):
                return found
            else:
                self.counters.disk_stale += 1
                held.close()
        return None

    def _judged(
        self, tier: Tier, held: Held, key: bytes, request: RequestHead, policies: Policies
    ) -> Found | None:
        """What `held` is worth to this request; None when it is worth nothing to any."""
        stored = stored_form(held, request, policies)
        if stored is None:
            return None
        if self.purged.since(stored.purge_sequence, key, stored.tags):
            self.counters.disk_purged += 1
            return None
        now_mono, now_wall = time.monotonic(), time.time()
        purged_wall = self.purged.softly_since(stored.purge_sequence, key, stored.tags)
        if purged_wall is not None:
            stored = expired_since(stored, purged_wall, now_wall, now_mono)
        policy = policies.for_response(request, held.head)
        asked_s = stale_if_error_asked_s(request, policy)
        reuse = may_reuse(request, stored, policy, now_mono).reuse
        response = HeldResponse(held)
        return Found(
            stored=replace(stored, length=held.length),
            times=held.times,
            held=response,
            response=response,
            says=CacheStatus(detail=tier.name),
            is_reusable=held.trusted and reuse is not Reuse.EXPIRED,
            may_stand_in=held.trusted and may_serve_on_error(stored, now_mono, asked_s),
        )

    async def _validated(
        self,
        found: Found,
        fill: Fill,
        policies: Policies,
        ask: Callable[[Fields], Awaitable[Received]],
    ) -> Found | Received | None:
        """What the origin makes of it; None when it has to be asked again, without conditions."""
        self.counters.disk_stale += 1
        try:
            received = await ask(conditional_fields(found.stored))
        except UpstreamError as error:
            if must_validate(found.stored, time.monotonic()):
                raise UnvalidatedError.instead_of(error) from None
            if not found.may_stand_in:
                raise
            return replace(found, says=_STANDS_IN)
        if received.head.status in SERVER_ERRORS and found.may_stand_in:
            received.response.close()
            return replace(found, says=_STANDS_IN)
        if received.head.status != 304:
            if received.head.status < 500:
                found.held.drop()  # it has been replaced
            return received
        received.response.close()
        fresh = freshen(
            found.stored,
            received.head,
            received.times,
            policies.for_response(fill.request, found.held.head),
            purge_sequence=fill.sequence,
        )
        judged = None if fresh is None else rejudge(fresh, fill.request, policies)
        if judged is None or isinstance(judged, NoStore):
            found.held.drop()
            return None
        fresh = replace(judged.stored, length=found.stored.length)
        says = replace(found.says, forward=Forward.STALE, forward_status=304)
        return replace(found, stored=fresh, times=received.times, says=says, renewed=True)

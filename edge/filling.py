"""Runs one fill: ask upstream, judge the head, keep or release, store what is whole."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from cache_policies.freshness import may_serve_on_error
from cache_policies.message import Fields
from cache_policies.partial import as_whole, carried_part
from cache_policies.policy import CachePolicy
from cache_policies.rejudge import rejudge
from cache_policies.stored import Stored, Times
from cache_policies.storing import NoStore, Store, is_for_others, judge_storing
from cache_policies.validation import conditional_fields, freshen, freshen_by_head
from cache_policies.why import Why
from edge.asking import SERVER_ERRORS, Asked, Asker, Received
from edge.body import GrowingBody
from edge.collapse import WINDOW_BYTES, Fill, Fills, Phase, Uncacheable, personal
from edge.cookies import count_cookie
from edge.counters import Counters
from edge.entry import Entry
from edge.errors import NotCachedError, UpstreamError
from edge.fetch import Response
from edge.forwarding import FOR, unconditional
from edge.in_force import InForce
from edge.memory import Memory
from edge.other_variants import OtherVariants
from edge.promoting import Found
from edge.settings import Limits
from edge.slice_starts import SliceStarts
from edge.sliced import begins_slice, slice_field
from edge.slicing import Slicer

ABANDONED_BYTES_MAX: Final = 64 << 20  # left to fetch of a body that nobody waits for any more
_LOOK_AGAIN_S: Final = 0.1  # for room in memory
_OF_THIS_REQUEST: Final = frozenset({Why.METHOD, Why.REQUEST_NO_STORE, Why.AUTHORIZATION})


@dataclass(kw_only=True, slots=True)
class Filler:
    """Everything a fill needs; one per worker."""

    asker: Asker
    memory: Memory
    fills: Fills
    uncacheable: Uncacheable
    in_force: InForce
    limits: Limits
    counters: Counters
    slicer: Slicer
    others: OtherVariants
    starts: SliceStarts = field(init=False)

    def __post_init__(self) -> None:
        self.starts = SliceStarts(self.slicer, self.fills, self.uncacheable)

    async def run(self, fill: Fill, asked: Asked, received: Received | None = None) -> None:
        """See `fill` through to its end, whatever that is; only the fill itself hears of it.

        It asks for what it has not `received` already.
        """
        fill.body = GrowingBody(self.memory.spares.join)
        try:
            received = received or await self._ask(fill, asked)
            if received is not None and received.found is not None and received.found.by_slices:
                received = await self._of_held(fill, asked, received.found)
            if fill.slice_no is not None and received is not None and received.found is None:
                received = await self._of_part(fill, fill.slice_no, asked, received)
            if received is not None:
                await self._keep_or_release(fill, received)
        except (UpstreamError, NotCachedError) as error:
            fill.fail(error)
        finally:
            self.fills.discard(fill)
            self.fills.forget_vary(fill.key)
            self._unreserve(fill, fill.reserved_bytes)
            fill.has_ended = True
            body = fill.leave_body()
            self.memory.let_go([] if fill.in_memory else body)  # readers may hold it for long
            fill.fail(UpstreamError("fill-ended", "this edge is shutting down"))

    async def _ask(self, fill: Fill, asked: Asked) -> Received | None:
        """The response to fill with; None when it validated the stale entry instead."""
        whole = unconditional(fill.request.fields)
        if fill.slice_no is not None:
            whole = (*whole, slice_field(fill.slice_no))
        stale = fill.stale
        if stale is None and (held := await self._held(fill, whole, asked)) is not None:
            return held
        others = self.others.of(fill) if stale is None else []
        if stale is not None or others:
            known = conditional_fields(stale.stored) if stale else self.others.tags(others)
            received = await self._fetch_for(fill, (*whole, *known), asked)
            if received.head.status != 304:
                return received
            received.response.close()
            if self._validated(fill, stale, others, received):
                fill.enter(Phase.VALIDATED)
                return None
        received = await self._fetch_for(fill, whole, asked)
        if received.head.status == 304:
            received.response.close()
            raise UpstreamError("protocol-error", "a 304 to a request without conditions")
        return received

    async def _of_part(
        self, fill: Fill, slice_no: int, asked: Asked, received: Received
    ) -> Received | None:
        """Begin to keep slices with the part that came; what is no part goes the usual way."""
        status, response = received.head.status, received.response
        fill.head = received.head
        if status == 416:
            self._release(fill, response)
            return None
        if status != 206:
            return received
        whole = as_whole(received.head)
        part = carried_part(received.head)
        if whole is None or part is None or not begins_slice(part, slice_no):
            response.close()
            self.slicer.unsliced.remember(fill.key, received.times.response_mono)
            return await self._fetch_for(fill, unconditional(fill.request.fields), asked)
        judged = self._judged(fill, replace(received, head=whole))
        if not isinstance(judged, Store) or not judged.collapsible:
            if isinstance(judged, NoStore) and judged.why not in _OF_THIS_REQUEST:
                self.uncacheable.remember(fill.key, received.times.response_mono)
            self._release(fill, response)
            return None
        if not await self.starts.with_part(fill, judged.stored, part, received):
            self._release(fill, response)
        return None

    async def _of_held(self, fill: Fill, asked: Asked, found: Found) -> Received | None:
        """Have a tier's slices answer; ask upstream for what was purged since they were found."""
        if self.starts.with_held(fill, found):
            return None
        return await self._fetch_for(fill, unconditional(fill.request.fields), asked)

    async def _held(self, fill: Fill, whole: Fields, asked: Asked) -> Received | None:
        """What a lower tier holds for this fill, or what the origin has in its place."""

        def ask(conditions: Fields) -> Awaitable[Received]:
            return self._fetch_for(fill, (*whole, *conditions), asked)

        asked_mono = time.monotonic()
        found = await self.slicer.lower.answer(fill, self.in_force.policies, ask)
        if asked.trace is not None and self.slicer.lower.tiers:
            name = found.tier if isinstance(found, Found) else self.slicer.lower.tiers[0].name
            asked.trace.steps.append((name, time.monotonic() - asked_mono))
        if not isinstance(found, Found):
            return found
        fill.held = found.says
        return Received(found.response, found.head, found.times, found=found, tier=found.tier)

    async def _fetch_for(self, fill: Fill, fields: Fields, asked: Asked) -> Received:
        request = fill.request
        if fields is not request.fields:
            request = replace(request, fields=fields)
        received = await self.asker.ask(fill.key, request, asked, sequence=fill.sequence)
        fill.comes_after = received.sequence
        return received

    def keeps(self, fill: Fill, received: Received) -> bool:
        """Whether what was received without asking for it may be stored."""
        length = received.response.length
        storable = isinstance(self._judged(fill, received), Store)
        return storable and (length is None or self._fits(length))

    def updated_by_head(self, fill: Fill, stale: Entry, received: Received) -> bool:
        """Update what is stored by an answer to HEAD, or else make it stale (RFC 9111 §4.3.5)."""
        fresh = freshen_by_head(
            replace(stale.stored, length=stale.length),
            received.head,
            received.times,
            self._policy(fill, stale.stored),
            purge_sequence=received.as_of(fill.sequence),
        )
        fresh = self._renewed(fill, fresh)
        if fresh is None:
            if received.head.status < 500:
                stale.expire(received.times.response_mono)
            return False
        if self._is_purged(fill, stale.stored, fresh):
            return False
        if not is_for_others(fill.request, received.head, self._policy(fill, fresh)):
            return False
        self.memory.freshen(stale, fresh)
        self._offer(fill, stale, received)
        return True

    def _validated(
        self, fill: Fill, stale: Entry | None, others: list[Entry], received: Received
    ) -> bool:
        """Whether a 304 says what answers the fill; else that is asked for again."""
        if stale is None:
            taken = self.others.take(fill, others, received)
            if taken is not None and self.memory.holds(taken):
                self._offer(fill, taken, received)
            return taken is not None
        if self._freshened(fill, stale, received):
            return True
        if is_for_others(fill.request, received.head, self._policy(fill, stale.stored)):
            self.memory.remove(stale)
        return False

    def _freshened(self, fill: Fill, stale: Entry, received: Received) -> bool:
        fresh = freshen(
            stale.stored,
            received.head,
            received.times,
            self._policy(fill, stale.stored),
            purge_sequence=received.as_of(fill.sequence),
        )
        fresh = self._renewed(fill, fresh)
        if fresh is None:
            return False
        told = fresh.head
        shared = is_for_others(fill.request, told, self._policy(fill, fresh))
        fill.exclusive = not (shared and Store(fresh).collapsible)
        if not shared or self._is_purged(fill, stale.stored, fresh):
            fill.stale = stale.twin(fresh)  # for those who asked before; what is stored stays
            return True
        self.memory.freshen(stale, fresh)
        self._offer(fill, stale, received)
        return True

    def _renewed(self, fill: Fill, fresh: Stored | None) -> Stored | None:
        """What was updated, as rules see it now: what changed may be what they are about."""
        if fresh is None or not self.in_force.policies.rules:
            return fresh
        judged = rejudge(fresh, fill.request, self.in_force.policies)
        return None if isinstance(judged, NoStore) else judged.stored

    def _is_purged(self, fill: Fill, before: Stored, now: Stored) -> bool:
        """Whether a purge has come meanwhile, by the tags of then or of the rules of now."""
        return self.memory.purged_since(fill.sequence, fill.key, (*before.tags, *now.tags))

    async def _keep_or_release(self, fill: Fill, received: Received) -> None:
        response, fill.head, fill.tier = received.response, received.head, received.tier
        judged = self._judged(fill, received)
        length = response.length
        too_large = length is not None and not self._fits(length)
        below = (
            too_large
            and isinstance(judged, Store)
            and judged.collapsible
            and self.starts.wants(fill, judged.stored, received)
        )
        why = judged.why if isinstance(judged, NoStore) else None
        fill.detail = why.value if why is not None else "object-too-large"
        if below and isinstance(judged, Store) and self.starts.admits(fill, judged.stored):
            if not await self.starts.with_whole(fill, judged.stored, received):
                self._release(fill, response)
            return
        if isinstance(judged, NoStore) or too_large:
            lasts = why not in _OF_THIS_REQUEST and received.head.status not in SERVER_ERRORS
            if lasts and not below:
                self.uncacheable.remember(fill.key, received.times.response_mono)
                if fill.stale is not None and received.head.status < 500:
                    self.memory.remove(fill.stale)  # the origin now says something else
            if why is Why.AUTHORIZATION:
                self.uncacheable.remember(personal(fill.key), received.times.response_mono)
            self._release(fill, response)
            return
        assert isinstance(judged, Store)
        fill.stored = judged.stored
        found = received.found
        if found is None or found.renewed:
            fill.exclusive = not judged.collapsible or (found is not None and found.own)
        self.uncacheable.forget(fill.key)
        if self.memory.purged_since(fill.sequence, fill.key, fill.tags):
            fill.outdated = True  # by a tag that its head has only now shown
            self.fills.discard(fill)
        self.fills.settle(fill)
        fill.enter(Phase.KEPT)
        try:
            await self._follow(fill, received)
        finally:
            response.close()

    def _judged(self, fill: Fill, received: Received) -> Store | NoStore:
        if received.found is not None:
            return Store(received.found.stored)
        judged = judge_storing(
            fill.request,
            received.head,
            received.times,
            self.in_force.policies.for_response(fill.request, received.head),
            purge_sequence=received.as_of(fill.sequence),
        )
        if isinstance(judged, Store) and FOR in judged.stored.vary:
            return NoStore(Why.VARY_ANY)  # by what no player may say, but each is told of
        if received.head.status in SERVER_ERRORS and self._has_better(fill, received.times):
            return NoStore(Why.STALE_IF_ERROR)
        return judged

    def _has_better(self, fill: Fill, times: Times) -> bool:
        """Whether an error would displace what may be served in its place."""
        stale = fill.stale
        return stale is not None and may_serve_on_error(stale.stored, times.response_mono)

    def _fits(self, length: int) -> bool:
        return length <= min(self.limits.object_max_bytes, self.memory.budget_bytes // 2)

    def _release(self, fill: Fill, response: Response) -> None:
        """Give the response to the one whose request it answers; the others ask for their own."""
        self.counters.released += len(fill.readers - {fill.leader})
        if fill.leader in fill.readers:
            fill.response = response
        else:
            response.close()
        fill.enter(Phase.RELEASED)

    async def _follow(self, fill: Fill, received: Received) -> None:
        """Append the body until its end, and store it when it is whole and still wanted."""
        while piece := await received.response.read():
            received.count(self.counters, len(piece))
            fill.reserved_bytes += len(piece)
            fits = self.memory.reserve(len(piece)) and self._fits(fill.body.size + len(piece))
            self.memory.watch(fill.append(piece))
            del piece
            if not fits and not fill.windowed:
                fill.windowed = True
                self.fills.discard(fill)
            if not fill.readers and self._not_worth_finishing(fill):
                raise UpstreamError("abandoned", "nobody waits for the rest")
            if fill.windowed:
                await self._room(fill)
        if not fill.windowed:
            await _let_go_first()
            self._store(fill, received)
        fill.enter(Phase.COMPLETE)

    def _not_worth_finishing(self, fill: Fill) -> bool:
        assert fill.stored is not None
        length = fill.stored.length
        return fill.windowed or length is None or length - fill.body.size > ABANDONED_BYTES_MAX

    async def _room(self, fill: Fill) -> None:
        """Let the slowest reader catch up when the body is not kept whole."""
        while fill.windowed and fill.readers:
            dropped = fill.body.drop_before(fill.slowest())
            self._unreserve(fill, sum(map(len, dropped)))
            self.memory.watch(dropped)
            del dropped  # while this waits it must not hold what nobody needs
            short = self.memory.relieve()
            if fill.body.size - fill.slowest() <= (0 if short else WINDOW_BYTES):
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_S if short else None):
                    await fill.news()
        await self.asker.room()

    def _store(self, fill: Fill, received: Received) -> None:
        assert fill.stored is not None
        stored = self._of_now(fill, fill.stored)
        own = received.found is not None and received.found.own
        if fill.outdated or own or stored is None or self._is_purged(fill, fill.stored, stored):
            return
        self._unreserve(fill, fill.reserved_bytes)
        entry = Entry(fill.key, stored, fill.body.slices())
        kept = self._policy(fill, stored).memory and self.memory.store(entry)
        if kept:
            fill.in_memory = True
            self.counters.stored += 1
            count_cookie(self.counters, fill.key, stored)
        self._offer(fill, entry, received)

    def _of_now(self, fill: Fill, stored: Stored) -> Stored | None:
        """What is to be stored, under the policies of now: others may have come meanwhile."""
        policies, request = self.in_force.policies, fill.request
        if stored.policy_epoch == policies.epoch:
            return stored
        judged = rejudge(stored, request, policies)
        key, _ = policies.key(request.scheme, request.host, request.target)
        return None if isinstance(judged, NoStore) or key != fill.key else judged.stored

    def _policy(self, fill: Fill, stored: Stored) -> CachePolicy:
        head = stored.head
        return self.in_force.policies.for_response(fill.request, head)

    def _offer(self, fill: Fill, entry: Entry, received: Received) -> None:
        if tiers := self.slicer.lower.without(received.found):
            policy = self._policy(fill, entry.stored)
            self.slicer.lower.offer(entry, policy, second_hand=received.peer, tiers=tiers)

    def _unreserve(self, fill: Fill, freed_bytes: int) -> None:
        fill.reserved_bytes -= freed_bytes
        self.memory.release(freed_bytes)


async def _let_go_first() -> None:
    """Let followers write what has just come, and the loop send it, before all else is done."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)

"""The life of a request that is not a plain hit: look up, collapse, fetch, store, deliver."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from cache_policies.cache_status import CacheStatus, Forward
from cache_policies.freshness import must_validate
from cache_policies.invalidation import invalidated_keys
from cache_policies.message import RequestHead, ResponseHead
from cache_policies.reuse import Verdict, may_reuse, only_if_cached
from cache_policies.storing import is_authorized, is_for_others
from cache_policies.vary import variant_key
from cache_policies.why import Reuse, Why
from edge.admission import Admission
from edge.ask import Ask
from edge.asking import SERVER_ERRORS, Asked, Received
from edge.collapse import Fill, FillReader, Phase, personal
from edge.counters import Counters
from edge.delivery import Answer, lacks, of_error, of_fill, of_response, of_stored
from edge.door import Door
from edge.entry import Entry
from edge.errors import EdgeError, NotCachedError, RefusedError, UnvalidatedError
from edge.fetch import Response
from edge.filling import Filler
from edge.finding import find
from edge.forwarding import unconditional
from edge.invalidating import Invalidating
from edge.missing import Miss, of_miss, of_verdict, passes
from edge.sliced import SlicedEntry
from edge.slicing import Source
from edge.standing_in import StandingIn
from edge.steering.tagging import Tagger
from edge.tasks import Tasks

SHARED_ATTEMPTS_MAX: Final = 4  # then a request fetches for itself
_REUSABLE: Final = frozenset({Reuse.FRESH, Reuse.STALE_WHILE_REVALIDATE, Reuse.STALE_ALLOWED})


@dataclass(kw_only=True, slots=True)
class Exchange:
    """Answers requests; one per worker."""

    filler: Filler
    tasks: Tasks
    counters: Counters  # of those who ask: players, or peers
    catch_up: Callable[[], int]  # applies published purges, returns the last one's number
    invalidating: Invalidating
    admission: Admission
    door: Door | None  # that players come through, and peers do not
    tagger: Tagger | None = None  # of what players get

    @property
    def stored(self) -> StandingIn:
        """What answers without anybody being asked."""
        return StandingIn(self.filler)

    async def answer(
        self, request: RequestHead, asked: Asked, reader: FillReader | None = None
    ) -> Answer:
        """The answer to one request. Its body must be closed, read to the end or not.
        `reader` is the place in a fill that the request has already.
        """
        ask = self._ask(request, asked)
        try:
            attempts = 1
            if reader is None:
                answer = await self._attempt(ask)
            else:
                ask.miss = reader.miss
                answer = await self._read(ask, reader)
            while answer is None:
                # what it waited for was another's alone, another variant, or purged meanwhile
                attempts += 1
                before, ask = ask, self._ask(request, asked)
                ask.go_on(before, alone=attempts > SHARED_ATTEMPTS_MAX)
                answer = await self._attempt(ask)
        except EdgeError as error:
            if not ask.passes and (stale := await self.stored.on_error(ask, error)) is not None:
                return stale
            if ask.entry is not None and must_validate(ask.entry.stored, time.monotonic()):
                error = UnvalidatedError.instead_of(error)
            return of_error(error, CacheStatus(forward=ask.miss[0], detail=error.detail))
        return answer

    def _ask(self, request: RequestHead, asked: Asked) -> Ask:
        """What a request comes to under the policies of now."""
        self.catch_up()
        policies = self.filler.in_force.policies
        policy = policies.for_request(request)
        if policy.stripped_request:
            stripped = policy.stripped_request
            kept = tuple(line for line in request.fields if line[0] not in stripped)
            request = replace(request, fields=kept)
        if asked.trace is not None:
            rules = policies.matched(request) if policies.rules else ()
            asked.trace.rules = tuple(policies.rules[number].name for number in rules)
        miss = passes(request, policy)
        key, target = policies.key(request.scheme, request.host, request.target)
        if miss is not None:
            return Ask(key, request, asked, policy, passes=True, miss=miss)
        if asked.trace is not None:
            asked.trace.key = key
        # an origin sees no more than is keyed
        host = policies.host(request.scheme, request.host)
        ask = Ask(key, replace(request, host=host, target=target), asked, policy)
        ask.alone = is_authorized(request)
        return ask

    async def _attempt(self, ask: Ask) -> Answer | None:
        """Look up, else follow a fill; None when that fill was not for this request."""
        sequence = self.catch_up()
        if ask.passes or ask.asked.sequence > sequence:
            return await self._pass(ask)
        ask.entry = find(self.filler, ask, time.monotonic())
        if ask.entry is None:
            ask.miss = self.filler.memory.miss(ask.key)
        else:
            verdict = may_reuse(ask.request, ask.entry.stored, ask.policy, time.monotonic())
            if verdict.reuse in _REUSABLE:
                return await self._hit(ask, ask.entry, verdict, sequence)
            ask.miss = of_verdict(verdict)
        is_head = ask.request.method == b"HEAD"
        if is_head and ask.entry is None and (held := await self.stored.to_head(ask)) is not None:
            return held
        if only_if_cached(ask.request, ask.policy):
            if is_head or ask.entry is not None or not self.filler.slicer.lower.tiers:
                raise NotCachedError("only-if-cached")
            ask.asked = replace(ask.asked, only_held=True)
            return await self._read(ask, self._follow(ask, sequence))
        if ask.entry is None and self._not_for_a_fill(ask):
            return await self._or_stale(ask, await self._pass(ask))
        if ask.entry is not None and is_head:
            return await self._head_through(ask, ask.entry, sequence)
        return await self._read(ask, self._follow(ask, sequence))

    async def _read(self, ask: Ask, reader: FillReader) -> Answer | None:
        """The answer that a place in a fill gives; None when the fill was not for this request."""
        try:
            answer = await self._of_fill(ask, reader)
        except BaseException:
            reader.close()
            raise
        if answer is None:
            reader.close()
        return answer

    def _not_for_a_fill(self, ask: Ask) -> bool:
        """Whether asking for the whole would be wrong: HEAD, or a part of what is not stored."""
        if ask.request.method == b"HEAD":
            return True
        known = (ask.key, time.monotonic()) in self.filler.uncacheable
        if known:
            ask.alone, ask.miss = True, (ask.miss[0], Why.UNCACHEABLE)
        return ask.alone and ask.request.get(b"range") is not None

    async def _hit(self, ask: Ask, entry: Entry, verdict: Verdict, sequence: int) -> Answer | None:
        """Serve what is stored; if it is stale, have it validated beside that."""
        if isinstance(entry, SlicedEntry) and lacks(entry, ask.request):
            return await self._of_slices(ask, entry, sequence)
        detail = None if verdict.reuse is Reuse.FRESH else verdict.why.value
        if verdict.reuse is Reuse.STALE_WHILE_REVALIDATE:
            self._revalidate(ask, entry, sequence)
        now_mono = time.monotonic()
        says = CacheStatus(ttl_s=entry.ttl_s(now_mono), detail=detail)
        return of_stored(entry, ask.request, says, now_mono)

    async def _of_slices(self, ask: Ask, entry: SlicedEntry, sequence: int) -> Answer | None:
        """Serve what is stored in part, and ask for what is missing of it."""
        if not ask.sliced:
            ask.miss = (Forward.PARTIAL, Why.SLICE)
        slicer = self.filler.slicer
        ttl_s = entry.ttl_s(time.monotonic())
        says = replace(of_miss(ask.miss, 206), stored=True, ttl_s=ttl_s)
        source = Source(entry, ask.request, ask.asked, sequence)
        if only_if_cached(ask.request, ask.policy):
            source = replace(source, asked=replace(ask.asked, only_held=True))
            if not await slicer.holds(source):
                raise NotCachedError("only-if-cached")
        elif ask.alone or not is_for_others(ask.request, entry.stored.head, ask.policy):
            return await self._pass(ask)
        return await slicer.answer(source, says)

    def _revalidate(self, ask: Ask, entry: Entry, sequence: int) -> None:
        fills = self.filler.fills
        variant = entry.stored.variant
        head = entry.stored.head
        policy = self.filler.in_force.policies.for_response(ask.request, head)
        shares = is_for_others(ask.request, head, policy) and self.admission.may_fill(ask.key)
        if shares and fills.find(ask.key, variant, time.monotonic()) is None:
            request = replace(ask.request, method=b"GET")
            fill = Fill(ask.key, variant, request, sequence=sequence, stale=entry)
            fill.slice_no = 0 if isinstance(entry, SlicedEntry) else None
            self._begin(fill, ask.asked)

    def _follow(self, ask: Ask, sequence: int) -> FillReader:
        """Join the fill that runs for this request, or begin one."""
        filler = self.filler
        vary = filler.memory.vary(ask.key) or filler.fills.vary(ask.key)
        variant = variant_key(vary, ask.request.fields)
        stale = ask.entry
        only_held = ask.asked.only_held
        alone = ask.alone or only_held or (stale is not None and stale.stored.no_cache)
        running = None if alone else filler.fills.find(ask.key, variant, time.monotonic())
        if running is not None:
            return FillReader(running, sequence)
        self.admission.check_fill(ask)
        request = replace(ask.request, method=b"GET")
        fill = Fill(ask.key, variant, request, sequence=sequence, stale=stale)
        if only_held or (not alone and (stale is None or isinstance(stale, SlicedEntry))):
            fill.slice_no = filler.slicer.first_slice(ask.key, ask.request, ask.policy)
        reader = FillReader(fill, sequence, leads=True)
        self._begin(fill, ask.asked, alone=alone)
        return reader

    def _begin(self, fill: Fill, asked: Asked, *, alone: bool = False) -> None:
        if alone:
            asked = replace(asked, direct=asked.direct or not self._may_be_for_all(fill))
        else:
            self.filler.fills.add(fill)
            if not asked.direct:  # a peer sees to what its own players ask next
                self.filler.fills.noticed(fill.key)
        self.admission.start_fill(fill.key, self.filler.run(fill, asked))

    def _may_be_for_all(self, fill: Fill) -> bool:
        """Whether a fill for one with credentials goes by the key's owner, who may share it."""
        known = (personal(fill.key), time.monotonic()) in self.filler.uncacheable
        return is_authorized(fill.request) and not known

    async def _of_fill(self, ask: Ask, reader: FillReader) -> Answer | None:
        """What a fill's outcome means for one of its readers."""
        fill, leads = reader.fill, reader.fill.leader is reader
        phase = await self._head(reader)
        if (
            fill.head is not None
            and fill.head.status in SERVER_ERRORS
            and (instead := await self.stored.on_error(ask)) is not None
        ):
            reader.close()
            return instead
        if phase is Phase.FAILED:
            assert fill.error is not None
            raise fill.error.again()
        if phase is Phase.RELEASED:
            ask.alone = True
            return await self._of_released(ask, reader) if leads else None
        if phase is Phase.SLICED:
            ask.sliced = True
            return None
        if self._is_outdated_for(reader):
            return None
        now_mono = time.monotonic()
        if phase is Phase.VALIDATED:
            assert fill.stale is not None
            if fill.exclusive and not leads:
                ask.alone = True  # it is stale again already: validate it for this one
                return None
            stale = fill.stale
            if not leads and variant_key(stale.vary, ask.request.fields) != stale.variant:
                return None
            self.counters.collapsed += not leads
            reader.close()
            ttl_s = fill.stale.ttl_s(now_mono)
            says = replace(of_miss(ask.miss, 304), collapsed=not leads, ttl_s=ttl_s)
            if ask.entry is None:  # it was stored for others
                says = replace(says, stored=self.filler.memory.holds(fill.stale))
            if isinstance(fill.stale, SlicedEntry) and lacks(fill.stale, ask.request):
                source = Source(fill.stale, ask.request, ask.asked, fill.sequence)
                return await self.filler.slicer.answer(source, says)
            return of_stored(fill.stale, ask.request, says, now_mono)
        if not fill.answers(reader, ask.request):
            ask.alone = fill.exclusive or fill.held is not None
            return None
        status = None if fill.head is None else fill.head.status
        says = fill.says(of_miss(ask.miss, status), now_mono, leads=leads)
        self.counters.collapsed += says.collapsed
        return of_fill(reader, ask.request, says, fill.age_s(now_mono))

    def _is_outdated_for(self, reader: FillReader) -> bool:
        """Whether a purge that this reader comes after names what the fill has brought."""
        fill = reader.fill
        return self.filler.memory.purged_since(
            fill.sequence, fill.key, fill.tags, until=reader.sequence
        )

    async def _head(self, reader: FillReader) -> Phase:
        fills = self.filler.fills
        if fills.waiting >= self.filler.limits.waiters_max:
            raise RefusedError("waiters-max", retry_after_s=1)
        fills.waiting += 1
        try:
            return await reader.head()
        finally:
            fills.waiting -= 1

    async def _of_released(self, ask: Ask, reader: FillReader) -> Answer:
        """The leader's own answer; a part is asked for anew, since the fill asked for the whole."""
        fill, response, head = reader.fill, reader.take_response(), reader.fill.head
        assert response is not None
        assert head is not None
        reader.close()
        if ask.request.get(b"range") is not None or ask.request.method == b"HEAD":
            response.close()
            return await self._or_stale(ask, await self._pass(ask))
        says = replace(of_miss(ask.miss, head.status), detail=fill.detail)
        answer = self._of_response(response, head, ask, says)
        answer.sequence = fill.comes_after
        return answer.says(says, fill.tier)

    def _of_received(self, received: Received, ask: Ask, says: CacheStatus) -> Answer:
        """The answer that passes on what was received: as old as whoever gave it says."""
        answer = self._of_response(received.response, received.head, ask, says)
        answer.sequence = received.sequence
        return answer.says(says, received.tier)

    def _of_response(
        self, response: Response, head: ResponseHead, ask: Ask, says: CacheStatus
    ) -> Answer:
        """The answer that passes a response on."""
        answer = of_response(response, head, ask.request, says, self.filler.memory.watch)
        policy = self.filler.in_force.policies.for_response(ask.request, head)
        answer.stripped = policy.stripped_response
        return answer

    async def _or_stale(self, ask: Ask, answer: Answer) -> Answer:
        """An answer of the origin's, unless it is an error and something better is stored."""
        if answer.status not in SERVER_ERRORS:
            return answer
        stale = await self.stored.on_error(ask)
        if stale is None:
            return answer
        answer.body.close()
        return stale

    async def _head_through(self, ask: Ask, entry: Entry, sequence: int) -> Answer:
        """Forward a HEAD that what is stored may not answer, and let that learn from the answer."""
        self.admission.check(ask)
        request = replace(ask.request, fields=unconditional(ask.request.fields))
        fill = Fill(ask.key, entry.stored.variant, request, sequence=sequence, stale=entry)
        received = await self._received(ask, request)
        self.catch_up()
        status = received.head.status
        if status in SERVER_ERRORS and (stale := await self.stored.on_error(ask)) is not None:
            received.response.close()
            return stale
        says = of_miss(ask.miss, status)
        if ask.alone or not self.filler.updated_by_head(fill, entry, received):
            return self._of_received(received, ask, says)
        received.response.close()
        now_mono = time.monotonic()
        says = replace(says, ttl_s=entry.ttl_s(now_mono))
        return of_stored(entry, ask.request, says, now_mono)

    async def _received(self, ask: Ask, request: RequestHead) -> Received:
        """What the origin answers; HEAD and POST go by the key's owner, who may store or learn."""
        if request.method == b"POST":
            by_owner = not ask.policy.bypass
        else:
            by_owner = request.method == b"HEAD" and not (ask.passes or ask.alone)
        asked = replace(ask.asked, direct=ask.asked.direct or not by_owner)
        return await self.filler.asker.ask(ask.key, request, asked, sequence=self.catch_up())

    async def _pass(self, ask: Ask) -> Answer:
        """Ask the origin for this player alone; only an answer to POST may be stored."""
        request = ask.request
        self.admission.check(ask)
        self.invalidating.check(request)
        received = await self._received(ask, request)
        sequence = self.catch_up()
        keys = invalidated_keys(request, received.head)
        if keys and not received.peer:  # a peer has done it
            try:
                await self.invalidating.invalidate(keys)
            except BaseException:
                received.response.close()
                raise
            sequence = self.catch_up()
        if request.method == b"POST":
            fill = Fill(ask.key, b"", request, sequence=sequence, stale=None)
            if self.filler.keeps(fill, received):
                return await self._keep(fill, received, ask.miss)
        says = of_miss(ask.miss, received.head.status)
        return self._of_received(received, ask, says)

    async def _keep(self, fill: Fill, received: Received, miss: Miss) -> Answer:
        """Pass on what was received, and store it on the way."""
        reader = FillReader(fill, fill.sequence, leads=True)
        self.tasks.start(self.filler.run(fill, Asked(), received))
        try:
            await reader.head()
            if fill.error is not None:
                raise fill.error.again()
        except BaseException:
            reader.close()
            raise
        now_mono = time.monotonic()
        says = of_miss(miss, received.head.status)
        says = replace(says, stored=True, ttl_s=fill.ttl_s(now_mono))
        return of_fill(reader, fill.request, says, fill.age_s(now_mono))

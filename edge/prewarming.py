"""Fetches for players to come, in one worker: by ordinary fills that wait while players wait."""

import asyncio
from collections.abc import Iterable, Iterator
from random import random
from time import monotonic
from typing import Any, Final

from cache_policies.message import RequestHead, field_lines
from edge.asking import Asked
from edge.audience import Gatherer, Sample
from edge.cmcd import NextObject, Report
from edge.collapse import Fill, FillReader, Phase
from edge.content_codings import decoded
from edge.entry import Entry
from edge.errors import EdgeError
from edge.favour import end_favour, favour
from edge.filling import Filler
from edge.look_ahead import LookAhead, Wanted
from edge.loop_watch import LoopWatch
from edge.outcome import ORIGIN
from edge.playlists import PLAYLIST_BYTES_MAX, Playlist, is_playlist, parse
from edge.prewarm_budget import Budget, Pressure, PrewarmPolicy, policy_of, yields
from edge.prewarm_choice import Chooser, Fetched, Outcome
from edge.prewarm_parts import meant, part_of
from edge.prewarm_plan import Order
from edge.prewarmed import USED
from edge.purges import PurgeFollower
from edge.settings import EdgeSettings
from edge.shedding import Priority, Shedder
from edge.sliced import SlicedEntry
from edge.slicing import Source
from edge.tasks import Tasks
from edge.variants import Variants

LOOK_EVERY_S: Final = 0.025
PAUSED_S: Final = 0.02  # then a fetch that waits looks again
PAUSED_MAX_S: Final = 10.0  # in all; an upstream would not wait for ever
NOTED_MAX: Final = 512  # requests between two looks
RATE_OVER_S: Final = 0.5
NEXT_MAX: Final = 4  # objects that one report names


class Prewarmer:
    """One worker's prewarming; `run` looks for what to fetch until it is cancelled."""

    def __init__(
        self,
        *,
        filler: Filler,
        tasks: Tasks,
        purges: PurgeFollower,
        shedder: Shedder,
        settings: EdgeSettings,
    ) -> None:
        self._filler = filler
        self._tasks = tasks
        self._purges = purges
        self._shedder = shedder
        self._watch = LoopWatch()  # that of the worker, once it is heard
        policy = policy_of(settings)
        self.is_on = policy is not None
        self.is_ready = not self.is_on  # until then nobody should be sent here
        self._policy = (policy or PrewarmPolicy()).share(settings.workers)
        self.chooser = Chooser(LookAhead(), self._budget(self._policy.warming()))
        self.chooser.is_warming = True
        self._noted: list[bytes] = []
        self._told: list[str] = []
        self._fetched_bytes = 0  # of upstream's, which were for nobody yet
        self._seen_bytes = 0
        self._players_bps = 0.0
        self._rated_mono = monotonic()
        if self.is_on:
            filler.fills.noticed = self.noticed

    def _budget(self, policy: PrewarmPolicy) -> Budget:
        return Budget(policy, self._filler.memory.budget_bytes, monotonic())

    # what is heard of players

    def hear(self, gatherer: Gatherer, watch: LoopWatch) -> None:
        """Learn from samples, and from the worker's loop."""
        self._watch = watch
        if self.is_on:
            gatherer.listeners.append(self.sampled)
            gatherer.retention = self.chooser.ahead.retention

    def noticed(self, key: bytes) -> None:
        """A player's request missed."""
        if len(self._noted) < NOTED_MAX:
            self._noted.append(key)

    def sampled(self, key: str, sample: Sample, report: Report) -> None:
        """A sample of all requests, with what its player told."""
        if not self.is_on:
            return
        self.chooser.ahead.count(key, sample.weight)
        if len(self._noted) < NOTED_MAX:
            self._noted.append(key.encode("latin-1"))
        said = report.get("next_objects", ())
        if isinstance(said, tuple) and len(self._told) < NOTED_MAX:
            for each in said[:NEXT_MAX]:
                if isinstance(each, NextObject):
                    self._told += meant(key, each)

    # what is fetched

    async def run(self) -> None:
        """Look again and again."""
        while self.is_on:
            self._look(monotonic())
            await asyncio.sleep(LOOK_EVERY_S)

    def _look(self, now_mono: float) -> None:
        self._purges.catch_up()
        self._rate(now_mono)
        noted, self._noted = self._noted, []
        told, self._told = self._told, []
        self.chooser.told(told, now_mono)
        for key in noted:
            self.chooser.asked(key.decode("latin-1"), self, now_mono)
        for wanted in self.chooser.look(self, self.pressure(), now_mono):
            self._tasks.start(self._fetch(wanted))

    def pressure(self) -> Pressure:
        """What players make of this worker now."""
        waiting = self._filler.fills.waiting
        is_shed = not self._shedder.admits(Priority.PREWARMING, random())
        return Pressure(self._watch.recent_s, waiting, self._players_bps, is_shed)

    def _rate(self, now_mono: float) -> None:
        """Follow how much comes from upstreams for players."""
        past_s = now_mono - self._rated_mono
        if past_s < RATE_OVER_S:
            return
        seen_bytes = self._filler.counters.fill_bytes - self._fetched_bytes
        self._players_bps = (seen_bytes - self._seen_bytes) / past_s
        self._seen_bytes, self._rated_mono = seen_bytes, now_mono

    async def _fetch(self, wanted: Wanted) -> None:
        fetched = Fetched(Outcome.FAILED)
        try:
            key, number = part_of(wanted.key)
            fetched = await self._fetched(key.encode("latin-1"), number)
        except EdgeError:
            pass
        finally:
            self._filler.counters.prewarm_fetches += fetched.outcome is Outcome.STORED
            self.chooser.fetched(wanted, fetched, self, monotonic())

    async def _fetched(self, key: bytes, number: int | None) -> Fetched:
        """Have an ordinary fill bring a key, or a slice of it, and read along as a reader."""
        filler, now_mono = self._filler, monotonic()
        scheme, _, rest = key.partition(b"://")
        host, slash, path = rest.partition(b"/")
        request = RequestHead(b"GET", scheme, host, slash + path, ())
        policies = filler.in_force.policies
        policy = policies.for_request(request)
        is_its_name = policies.key(scheme, host, request.target)[0] == key
        if not (policy.prewarm and policy.store and policy.memory and is_its_name) or policy.bypass:
            return Fetched(Outcome.REFUSED)
        if filler.fills.find(key, b"", now_mono) is not None:
            return Fetched(Outcome.SHARED)
        if (key, now_mono) in filler.uncacheable:
            return Fetched(Outcome.REFUSED)
        if len(self._tasks) >= filler.limits.fills_max:
            return Fetched(Outcome.FAILED)
        found = filler.memory.index.get(key)
        sequence = self._purges.catch_up()
        if number is not None and isinstance(found, SlicedEntry):
            return await self._slice(Source(found, request, Asked(), sequence), number)
        stale = found if type(found) is Entry else None
        fill = Fill(key, b"", request, sequence=sequence, stale=stale)
        if policy.slices and (key, now_mono) not in filler.slicer.unsliced:
            fill.slice_no = number
        reader = FillReader(fill, sequence, leads=True)
        filler.fills.add(fill)
        paused_until = now_mono + PAUSED_MAX_S

        async def pace() -> None:
            # no event tells that players need less
            while len(fill.readers) <= 1 and self._waits() and monotonic() < paused_until:  # noqa: ASYNC110
                await asyncio.sleep(PAUSED_S)

        # who wants a slice does not read the fill, so one is never held back
        asked = Asked(pace=pace) if fill.slice_no is None else Asked()
        self._tasks.start(filler.run(fill, asked))
        try:
            return await self._read(fill, reader)
        finally:
            reader.close()

    async def _slice(self, source: Source, number: int) -> Fetched:
        """Have a slice of a stored response join the others."""
        entry = source.entry
        first, last = entry.span(number)
        if first > last or entry.part_until <= monotonic():
            return Fetched(Outcome.FAILED if first <= last else Outcome.REFUSED)
        size_bytes = 0
        if entry.slice(number) is None:
            fill = self._filler.slicer.fill(source, number)
            while size_bytes < last + 1 - first:
                size_bytes += len(await fill.read(size_bytes))
            self._fetched_bytes += size_bytes if fill.tier == ORIGIN else 0
        outcome = Outcome.STORED if entry.slice(number) is not None else Outcome.REFUSED
        return Fetched(outcome, last + 1 - first, hits=entry.mark)

    def _waits(self) -> bool:
        """Whether a running fetch lets players go first, or has had its share of the uplink."""
        return self._is_busy() or not self.chooser.budget.has_bytes(monotonic())

    def _is_busy(self) -> bool:
        return bool(yields(self.pressure(), self._policy))

    async def _read(self, fill: Fill, reader: FillReader) -> Fetched:
        phase = await reader.head()
        if phase is Phase.VALIDATED:
            return Fetched(Outcome.VALIDATED)
        found = self._filler.memory.index.get(fill.key)
        if phase is Phase.SLICED and fill.slice_no is not None and isinstance(found, SlicedEntry):
            source = Source(found, fill.request, Asked(), fill.sequence)
            return await self._slice(source, fill.slice_no)
        if phase is not Phase.KEPT and phase is not Phase.COMPLETE:
            return Fetched(Outcome.FAILED if phase is Phase.FAILED else Outcome.REFUSED)
        size_bytes, is_used = 0, False
        while piece := await reader.read():
            size_bytes += len(piece)
            self._fetched_bytes += len(piece) if fill.tier == ORIGIN else 0
            is_used = is_used or len(fill.readers) > 1
        outcome = Outcome.STORED if fill.in_memory else Outcome.REFUSED
        return Fetched(outcome, size_bytes, is_used)

    # what is stored

    def hits(self, key: str) -> int | None:
        """How often what is stored under a key has answered; None when nothing fresh is."""
        key, number = part_of(key)
        found = self._filler.memory.index.get(key.encode("latin-1"))
        if number is not None and isinstance(found, SlicedEntry):
            is_here = found.slice(number) is not None and monotonic() < found.part_until
            return found.mark if is_here else None
        entries: Iterable[Entry] = ()
        if isinstance(found, Entry):
            entries = (found,)
        elif type(found) is Variants:
            entries = found.entries.values()
        now_mono = monotonic()
        marks = [each.mark for each in entries if each.is_fresh(now_mono)]
        return max(marks, default=None)

    def favour(self, key: str) -> None:
        """Have eviction spare what is stored under a key: it will be asked for soon."""
        found = self._filler.memory.index.get(part_of(key)[0].encode("latin-1"))
        if isinstance(found, Entry):
            favour(found)

    def end_favour(self, key: str) -> None:
        """Have eviction treat it like all else: it was asked for, or nobody came."""
        found = self._filler.memory.index.get(part_of(key)[0].encode("latin-1"))
        if isinstance(found, Entry):
            end_favour(found)

    def playlist(self, key: str) -> Playlist | None:
        """What is stored under a key, if that is a playlist."""
        found = self._filler.memory.index.get(key.encode("latin-1"))
        entry = next(iter(found.entries.values())) if type(found) is Variants else found
        if type(entry) is not Entry or not is_playlist(key) or entry.length > PLAYLIST_BYTES_MAX:
            return None
        coding = b",".join(field_lines(entry.stored.fields, b"content-encoding"))
        body = b"".join(map(bytes, entry.pieces(0, entry.length - 1)))
        text = decoded(body, coding, PLAYLIST_BYTES_MAX)
        return None if text is None else parse(key, text)

    # what the supervisor asks

    async def told(self, said: dict[str, Any]) -> dict[str, Any]:
        """Take orders, and what all workers know; say how many are left, and what they led to."""
        self.chooser.order(Order(*each) for each in said["orders"])
        if said["retention"]:
            self.chooser.ahead.heard(said["retention"])
        if said["ready"] and not self.is_ready:
            self.is_ready, self.chooser.is_warming = True, False
            self.chooser.budget = self._budget(self._policy)
        expanded, self.chooser.expanded = self.chooser.expanded, []
        used = sum(size for (_, what), size in self.chooser.ledger.bytes.items() if what == USED)
        return {
            "left": self.chooser.ordered,
            "expanded": expanded,
            "busy": self._is_busy(),
            "used_bytes": used,
            "wasted_bytes": sum(self.chooser.ledger.bytes.values()) - used,
        }

    def counted(self) -> Iterator[tuple[str, float]]:
        """The values of counters and gauges, by name."""
        ledger = self.chooser.ledger
        for (reason, what), number in ledger.objects.items():
            yield f"prewarmed {reason} {what}", number
        for (reason, what), size_bytes in ledger.bytes.items():
            yield f"prewarmed_bytes {reason} {what}", size_bytes
        for why, number in self.chooser.waits.items():
            yield f"prewarm_waits {why}", number
        yield "prewarm_waiting_bytes", ledger.waiting_bytes

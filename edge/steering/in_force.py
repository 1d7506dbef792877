"""The steering that a worker follows: which playlists get a tag, and what players are told."""

from collections import deque
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from cache_policies.glob import Glob, matches_any
from cache_policies.match import plain_path
from edge.counters import Counters
from edge.entry import STEERED, Entry, Rendering
from edge.memory import Memory
from edge.steering.manifest import SERVICE, QueryError, Question, manifest, parse_query
from edge.steering.orders import HERE, SteeredService, parse_steering
from edge.steering.tags import (
    PLAYLIST_BYTES_MAX,
    UntaggedError,
    is_playlist,
    server_tag,
    tagged_body,
    tagged_fields,
)

NOBODY: Final = "-"  # in counts: told nothing yet, or on no pathway that there is
OTHER_CODING: Final = "coding"  # why a tag waits for another variant of the playlist
RENDERED_PART: Final = 32  # of the memory budget may be taken by renderings

Tags: TypeAlias = tuple[tuple[tuple[Glob, ...], bytes], ...]


class UnknownServiceError(QueryError):
    """A question about a service that nobody steers."""


@dataclass(frozen=True, slots=True, eq=False)
class Tagging:
    """Which playlists get which tag. It is replaced as a whole, and with it all renderings."""

    tags: Tags

    def tag_for(self, target: bytes) -> bytes | None:
        """The tag of the multivariant playlist that a target names; None where it names none.

        However it is spelt: an origin gives the same playlist for main%2Em3u8.
        """
        for path in dict.fromkeys((target.partition(b"?")[0], plain_path(target))):
            for globs, tag in self.tags:
                if matches_any(globs, path):
                    return tag
        return None


class Steering:
    """One per worker; without an order it says and changes nothing."""

    def __init__(self, memory: Memory, counters: Counters, text: str | None = None) -> None:
        """`text` is the order to begin with."""
        self._memory = memory
        self._counters = counters
        self._services: dict[str, SteeredService] = {}
        self._tagging = Tagging(())
        self._made: deque[tuple[Rendering, int]] = deque()  # the oldest first, with their bytes
        if text is not None:
            self.follow(text)

    @property
    def is_given(self) -> bool:
        """Whether there is anybody to steer."""
        return bool(self._services)

    def follow(self, text: str) -> None:
        """Take an order that the supervisor has read."""
        services = parse_steering(text.encode()).services
        self._services = {each.name: each for each in services}
        tags = tuple((each.playlists, server_tag(each)) for each in services if each.playlists)
        if tags != self._tagging.tags:  # where players go changes often, what they ask seldom
            self._tagging = Tagging(tags)
            self._memory.mark(self._mark)

    async def heed(self, text: str) -> bool:
        """Do so because the supervisor asks."""
        self.follow(text)
        return True

    # the manifest

    def manifest(self, query: bytes, draw: float) -> bytes:
        """The answer to a player, whose draw this is if it has none yet. Raises QueryError."""
        question = parse_query(query)
        service = self._service_of(question)
        self._count(question, service)
        return manifest(service, draw if question.draw is None else question.draw)

    def _service_of(self, question: Question) -> SteeredService:
        if not question.service:
            if len(self._services) != 1:
                raise QueryError(f"want {SERVICE}=NAME")
            (service,) = self._services.values()
            return service
        known = self._services.get(question.service)
        if known is None:
            raise UnknownServiceError(f"no service {question.service!r}")
        return known

    def _count(self, question: Question, service: SteeredService) -> None:
        known = {HERE, *service.order}
        told, on = (each if each in known else NOBODY for each in (question.told, question.on))
        self._counters.steering_asked(service.name, told, on)

    # the tags

    def tag_for(self, target: bytes) -> bytes | None:
        """The tag of the playlist that a target without its token names, if it gets one."""
        return self._tagging.tag_for(target) if self._tagging.tags else None

    def _mark(self, entry: Entry) -> None:
        """Have players get an entry with its tag, or as it is when it has none any more."""
        if self._is_steered(entry):
            if not entry.is_outdated:  # else it is marked when it was judged anew
                entry.steer()
        elif entry.fresh_until == STEERED:
            entry.freshen(entry.stored)

    def _is_steered(self, entry: Entry) -> bool:
        if entry.length > PLAYLIST_BYTES_MAX or self._tagging.tag_for(_target(entry)) is None:
            return False
        stored = entry.stored
        return stored.status == 200 and is_playlist(stored.fields)

    def rendered(self, entry: Entry, now_mono: float) -> Entry | None:
        """What players get of an entry that is not plainly fresh; None when the app must see."""
        if entry.fresh_until != STEERED:
            return None
        made = entry.rendering(self._tagging)
        if made is None:
            made = self._render(entry)
            if made is None:
                return None
            self._keep(entry, made, now_mono)
        if now_mono >= made.fresh_until:
            return None
        entry.mark += 1  # for eviction
        return made

    def _keep(self, entry: Entry, made: Entry, now_mono: float) -> None:
        """Keep a rendering in place of the oldest ones, which are made again if need be."""
        rendering, memory = Rendering(self._tagging, made), self._memory
        entry.keep_rendering(rendering, now_mono)
        self._made.append((rendering, made.size_bytes))
        memory.rendered_bytes += made.size_bytes
        while memory.rendered_bytes > memory.budget_bytes // RENDERED_PART:
            oldest, size_bytes = self._made.popleft()
            oldest.made = None
            memory.rendered_bytes -= size_bytes

    def _render(self, entry: Entry) -> Entry | None:
        tag = self._tagging.tag_for(_target(entry))
        if tag is None or not entry.has(0, entry.length - 1):
            return None
        stored = entry.stored
        body = b"".join(map(bytes, entry.pieces(0, entry.length - 1)))
        try:
            body = tagged_body(body, stored.fields, tag)
        except UntaggedError as reason:
            if str(reason) == OTHER_CODING:
                return None
            self.untagged(reason)
            return entry.twin(stored)
        fields = tagged_fields(stored.fields, body)
        head = replace(
            stored, fields=fields, etag=fields[-1][1], last_modified=None, length=len(body)
        )
        return Entry(entry.key, head, [body])

    def untagged(self, reason: UntaggedError) -> None:
        """Count a playlist that stays as it is."""
        self._counters.steering_untagged(str(reason))


def _target(entry: Entry) -> bytes:
    """The target in a cache key, which a scheme and an authority precede."""
    key = entry.key
    return key[key.index(b"/", key.index(b"://") + 3) :]

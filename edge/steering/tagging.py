"""Adds the tag to answers that come by the slow path, whatever they were made of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from cache_policies.cache_status import CacheStatus, Forward
from cache_policies.message import RequestHead
from cache_policies.vary import accepted_encodings
from edge.body import Piece
from edge.delivery import Answer, Body, StoredBody, of_error, of_rendered
from edge.errors import EdgeError
from edge.forwarding import unconditional
from edge.steering.in_force import OTHER_CODING, Steering
from edge.steering.tags import (
    PLAYLIST_BYTES_MAX,
    READABLE,
    UntaggedError,
    is_playlist,
    tagged_body,
    tagged_fields,
)

Ask: TypeAlias = Callable[[RequestHead], Awaitable[Answer]]

_METHODS: Final = frozenset({b"GET", b"HEAD"})


@dataclass(slots=True)
class _Begun:
    """A body of which the beginning was read already."""

    beginning: bytes
    rest: Body

    async def read(self) -> Piece:
        """The next bytes."""
        if self.beginning:
            beginning, self.beginning = self.beginning, b""
            return beginning
        return await self.rest.read()

    def close(self) -> None:
        """Let go of it."""
        self.rest.close()


@dataclass(frozen=True, slots=True)
class Tagger:
    """Answers for playlists of steered services; one per worker."""

    steering: Steering

    def tag_for(self, request: RequestHead) -> bytes | None:
        """The tag that the answer to a request without its token gets, if it is to have one."""
        return self.steering.tag_for(request.target) if request.method in _METHODS else None

    async def answer(self, request: RequestHead, tag: bytes, ask: Ask) -> Answer:
        """The answer to a request, of the whole playlist that `ask` gives.

        Conditions and ranges are about what players get, so they are met here and by nobody else.
        """
        whole = replace(request, method=b"GET", fields=unconditional(request.fields))
        answer = await ask(whole)
        try:
            return await self._tagged(request, answer, tag)
        except UntaggedError:
            answer.body.close()
        answer = await ask(_readable(whole))
        try:
            return await self._tagged(request, answer, tag)
        except UntaggedError as reason:
            self.steering.untagged(reason)
            return answer

    async def _tagged(self, request: RequestHead, answer: Answer, tag: bytes) -> Answer:
        """The answer with its tag, or without where it can't have one.

        Raises UntaggedError, with the answer as it was, where it could in another coding.
        """
        if answer.status != 200 or not is_playlist(answer.fields):
            return answer
        begun, body = b"", answer.body
        try:
            while len(begun) <= PLAYLIST_BYTES_MAX and (piece := await body.read()):
                begun += piece
        except EdgeError as error:  # nothing was sent yet: better no playlist than half of one
            body.close()
            return of_error(error, CacheStatus(forward=Forward.URI_MISS, detail=error.detail))
        except BaseException:
            body.close()
            raise
        if len(begun) > PLAYLIST_BYTES_MAX:
            answer.body = _Begun(begun, body)
            self.steering.untagged(UntaggedError("too-large"))
            return answer
        answer.body = StoredBody([begun] if begun else [])
        body.close()
        data = begun
        try:
            data = tagged_body(begun, answer.fields, tag)
            answer.fields = tagged_fields(answer.fields, data)
        except UntaggedError as reason:
            if str(reason) == OTHER_CODING:
                raise
            self.steering.untagged(reason)
        return of_rendered(answer, request, data)


def _readable(request: RequestHead) -> RequestHead:
    """The request for a coding that can be undone here, or for none."""
    accepted = accepted_encodings(request.get(b"accept-encoding") or b"")
    coding = READABLE if READABLE in accepted else b"identity"
    kept = tuple(line for line in request.fields if line[0] != b"accept-encoding")
    return replace(request, fields=(*kept, (b"accept-encoding", coding)))

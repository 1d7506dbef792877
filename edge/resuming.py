"""A body that goes on where its connection broke, if the rest can be had of the very same bytes."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from cache_policies.message import Fields, ResponseHead
from cache_policies.partial import carried_part, continues, rest_fields
from edge.errors import UpstreamError
from edge.fetch import Response

RESUMES_MAX: Final = 8  # of one body

AskRest: TypeAlias = Callable[[Fields], Awaitable[tuple[Response, ResponseHead]]]


class ResumingResponse:
    """A response that asks for the rest of its body when that is cut off."""

    def __init__(self, response: Response, head: ResponseHead, etag: bytes, ask: AskRest) -> None:
        """`ask` sends the request once more, with these range fields beside those of the first."""
        self.status = response.status
        self.fields = response.fields
        self.length = response.length
        self._response = response
        self._etag = etag
        self._ask = ask
        self._resumes_left = RESUMES_MAX
        self._repeated_bytes = 0  # still to come of what was read before
        part = carried_part(head)
        self._at = 0 if part is None else part.first  # the representation's byte to be read next
        self._end = response.length if part is None else part.last + 1
        self._length = response.length if part is None else part.length

    async def read(self) -> bytes:
        """The next piece, b"" at the true end; raises UpstreamError when no rest can be had."""
        while True:
            try:
                piece = await self._response.read()
                if not piece and self._end is not None and self._at < self._end:
                    raise UpstreamError("truncated", "the rest was shorter than asked for")
            except UpstreamError as error:
                await self._resume(error)
                continue
            repeated = min(self._repeated_bytes, len(piece))
            self._repeated_bytes -= repeated
            if 0 < repeated == len(piece):
                continue
            piece = piece[repeated:]
            self._at += len(piece)
            if self._end is not None and self._at > self._end:
                self.close()
                raise UpstreamError("protocol-error", "the rest was longer than announced")
            return piece

    def close(self) -> None:
        """Give the connection back, or cut it."""
        self._response.close()

    async def _resume(self, error: UpstreamError) -> None:
        """Read on from another response. Raises what broke this one when that may not be."""
        self.close()
        if not self._resumes_left or error.detail == "total-timeout":
            raise error.again()  # itself, it would hold the frame that holds it
        self._resumes_left -= 1
        last = None if self.status == 200 else self._end and self._end - 1
        try:
            response, head = await self._ask(rest_fields(self._etag, self._at, last))
        except UpstreamError:
            raise error.again() from None
        part = continues(head, self._etag, self._at, self._length)
        if part is None or (self.status != 200 and head.status != 206):
            response.close()
            raise error.again()
        self._response = response
        self._repeated_bytes = self._at - part.first
        self._length = part.length
        if self.status == 200:
            self._end = part.length

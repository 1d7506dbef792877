"""A response that is read only as fast as others leave room for."""

from collections.abc import Awaitable, Callable

from edge.fetch import Response


class HeldBackResponse:
    """Waits for `pace` before each piece, so that an upstream is held back."""

    def __init__(self, response: Response, pace: Callable[[], Awaitable[None]]) -> None:
        self.status = response.status
        self.fields = response.fields
        self.length = response.length
        self._response = response
        self._pace = pace

    async def read(self) -> bytes:
        """The next piece, b"" at the true end; raises UpstreamError when it was cut off."""
        await self._pace()
        return await self._response.read()

    def close(self) -> None:
        """Let go of it."""
        self._response.close()

"""What can break an exchange, and what the player is told."""

from typing import ClassVar, Self


class EdgeError(Exception):
    """Root of the edge's errors; `detail` is the word that Cache-Status and the metrics use."""

    status: ClassVar[int] = 500

    def __init__(self, detail: str, message: str = "", *, retry_after_s: int | None = None) -> None:
        super().__init__(message or detail)
        self.detail = detail
        self.retry_after_s = retry_after_s  # when to ask again, where somebody knows

    def again(self) -> Self:
        """A fresh one to raise: an exception that many raise would collect all their tracebacks."""
        return type(self)(self.detail, str(self), retry_after_s=self.retry_after_s)


class UpstreamError(EdgeError):
    """The origin, or the peer asked in its place, gave no usable response."""

    status = 502


class OutdatedError(UpstreamError):
    """What another edge has may have been purged here: only the origin can tell."""


class BeyondError(UpstreamError):
    """Another edge was reached, and could not have it from its own upstreams."""


class StaleConnectionError(UpstreamError):
    """A reused connection died before any byte of a response."""


class UpstreamTimeoutError(UpstreamError):
    """The origin took longer than the limit named by `detail`."""

    status = 504


class UnvalidatedError(UpstreamError):
    """Nobody could be reached to validate what must be validated (RFC 9111 §5.2.2.2)."""

    status = 504

    @classmethod
    def instead_of(cls, error: EdgeError) -> EdgeError:
        """What is said in place of the 502 for a missing answer; other errors say more."""
        plain = type(error) in (UpstreamError, BeyondError)
        return cls(error.detail, str(error)) if plain else error


class MemoryShortError(UpstreamError):
    """There is no memory to receive an answer in, because players do not take theirs."""

    status = 503


class CrowdedError(UpstreamError):
    """Too many requests for the same title are with its origin."""

    status = 503


class RefusedError(EdgeError):
    """A limit of this node refuses the request for now."""

    status = 503


class DownstreamError(EdgeError):
    """The player went away, or its request body ended early."""

    status = 400


class DeniedError(DownstreamError):
    """The player has no token that opens what it wants."""

    status = 403


class StorageError(EdgeError):
    """A lower tier could not give what it holds: a miss, never an answer."""


class NotCachedError(DownstreamError):
    """The player wants nothing that is not stored (RFC 9111 §5.2.1.7)."""

    status = 504

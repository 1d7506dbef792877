"""What can stand between a plan and DNS: each error says where, what was met and what to do."""

from __future__ import annotations

from typing import ClassVar


class DnsError(Exception):
    """Root of the errors of DNS providers; `word` is for records and metrics."""

    word: ClassVar[str] = "failed"
    advice: ClassVar[str] = "see what the provider said; nothing was changed"
    retryable: ClassVar[bool] = False

    def __init__(self, provider: str, zone: str, name: str, met: str) -> None:
        self.provider, self.zone, self.name, self.met = provider, zone, name, met
        where = f"{name} in zone {zone}" if name else f"zone {zone}"
        super().__init__(f"{provider}: {where}: {met}; {self.advice}")


class WrongZoneError(DnsError):
    """The provider does not have this zone, or the name lies outside it."""

    word = "wrong-zone"
    advice = "compare zone, zone_id and server with what the provider shows"


class WrongKeyError(DnsError):
    """The key, token or signature is not accepted."""

    word = "wrong-key"
    advice = "check the credential (its name, algorithm, rights and expiry) and this clock"


class RefusedError(DnsError):
    """The provider understood, and will not."""

    word = "refused"
    advice = "allow this change at the provider, or correct the records in the service's file"


class ConflictError(DnsError):
    """Somebody else has changed the records since they were read."""

    word = "conflict"
    advice = "nothing was changed here; find out who changes this name beside the controller"


class RateLimitedError(DnsError):
    """The API wants to be asked later."""

    word = "rate-limited"
    advice = "it is asked again later; the other providers are not held up"
    retryable = True

    def __init__(
        self, provider: str, zone: str, name: str, met: str, *, retry_after_s: float = 1.0
    ) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(provider, zone, name, f"{met}, ask again in {retry_after_s:g} s")


class UnreachableError(DnsError):
    """No answer in time from the interface by which records are changed: it may have acted."""

    word = "unreachable"
    advice = "it is not known whether it acted: it is read back and asked again"
    retryable = True


class BrokenAnswerError(DnsError):
    """An answer that says nothing: a server's failure, or not the protocol."""

    word = "broken-answer"
    advice = "it is read back and asked again; if this stays, look at the provider's status"
    retryable = True


class SplitAnswersError(DnsError):
    """Some of the authoritative servers have not come round to the new records."""

    word = "split-answers"
    advice = "resolvers get either; look at these servers and at zone transfers between them"
    retryable = True


class ServersUnreachableError(DnsError):
    """None of the zone's authoritative servers could be read."""

    word = "servers-unreachable"
    advice = "what players are told is not known; check name_servers and the way there"
    retryable = True


class ResolverUnreachableError(DnsError):
    """A resolver that was to be watched does not answer."""

    word = "resolver-unreachable"
    advice = "it is not known what its users are told; the change itself is not touched by this"
    retryable = True

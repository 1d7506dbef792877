"""When a secondary asks its primary again, and when it may answer no more (RFC 1034 §4.3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dns.rdtypes.ANY.SOA import SOA

REFRESH_MIN_S: Final = 1.0
RETRY_FIRST_S: Final = 2.0  # of a zone that was never had: nothing is answered until then


@dataclass(frozen=True, slots=True)
class Refresh:
    """A copy's times; all on this machine's monotonic clock."""

    due_mono: float = 0.0  # the next question to the primary
    expires_mono: float = 0.0  # from then on the copy is not used
    soa: SOA | None = None  # of the copy

    def confirmed(self, soa: SOA, now_mono: float) -> Refresh:
        """The primary has this SOA, and so has the copy."""
        due_mono = now_mono + max(REFRESH_MIN_S, float(soa.refresh))
        return Refresh(due_mono, now_mono + float(soa.expire), soa)

    def failed(self, now_mono: float) -> Refresh:
        """The primary did not answer, or the transfer broke off."""
        retry_s = RETRY_FIRST_S if self.soa is None else max(REFRESH_MIN_S, float(self.soa.retry))
        return Refresh(now_mono + retry_s, self.expires_mono, self.soa)

    def notified(self, now_mono: float) -> Refresh:
        """The primary says that there is something new (RFC 1996)."""
        return Refresh(min(self.due_mono, now_mono), self.expires_mono, self.soa)

    def is_expired(self, now_mono: float) -> bool:
        """Whether the copy is too old to be used, or there is none."""
        return self.soa is None or now_mono >= self.expires_mono

    def wait_s(self, now_mono: float) -> float:
        """Seconds until something is due: a question, or the end."""
        instants = [self.due_mono]
        if self.soa is not None and self.expires_mono > now_mono:
            instants.append(self.expires_mono)
        return max(0.0, min(instants) - now_mono)

"""What those who follow a fill are told: one head for all whom it fits, made once a second."""

from dataclasses import dataclass
from typing import Final

from cache_policies.cache_status import CacheStatus, render
from cache_policies.freshness import current_age_s, fresh_until_mono
from cache_policies.stored import Stored
from edge.entry import STATUS_LINES, field_block, player_fields
from edge.outcome import Outcome, of_answer

_EARLY_S: Final = 1e-6  # sums of instants are rounded


@dataclass(frozen=True, slots=True)
class Saying:
    """A head, but for what ends it, and what is counted of its answer."""

    head: bytes
    outcome: Outcome
    until_mono: float  # from then on its age, or its lifetime left, is another one


def say(stored: Stored, says: CacheStatus, tier: str, now_mono: float) -> Saying:
    """What is said of a response that is being kept."""
    age_s = max(0.0, current_age_s(stored, now_mono))
    left_s = fresh_until_mono(stored) - now_mono
    framing = (
        b"transfer-encoding: chunked\r\n"
        if stored.length is None
        else b"content-length: %d\r\n" % stored.length
    )
    head = b"%b%bage: %d\r\ncache-status: %b\r\n%b" % (
        STATUS_LINES[stored.status],
        field_block(player_fields(stored.fields, stored.stripped)),
        age_s,
        render(says),
        framing,
    )
    until_mono = now_mono + min(1.0 - age_s % 1.0, left_s % 1.0) - _EARLY_S
    return Saying(head, of_answer(says, tier), until_mono)

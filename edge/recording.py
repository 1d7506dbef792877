"""What is written down of a response that memory holds, and what that says to who reads it."""

from dataclasses import replace
from typing import Final

from cache_policies.stored import Times
from edge.entry import Entry
from edge.record import HEAD_MAX_BYTES, WHOLE, RecordHead
from edge.residence import Mark, Now, mark, times_at

_FIELDS_MAX_BYTES: Final = HEAD_MAX_BYTES // 4


def head_of(entry: Entry, part: int, *, log_id: bytes, number: int, now: Now) -> RecordHead:
    """The head of a record of an entry, or of a part of it; its checksums are still to come.

    A number says up to where the fill that brought it knew the log of purges.
    """
    stored = entry.stored
    times = Times(
        response_wall=stored.response_wall,
        response_mono=stored.response_mono,
        response_delay_s=stored.response_delay_s,
    )
    came = mark(times, now)
    return RecordHead(
        key=entry.key,
        vary=stored.vary,
        variant=stored.variant,
        tags=stored.tags,
        status=stored.status,
        fields=stored.fields,
        response_wall=came.wall,
        response_delay_s=came.delay_s,
        boot_id=came.boot_id,
        response_boot=came.boot_s,
        log_id=log_id,
        purge_sequence=number,
        length=entry.length,
        part=part,
    )


def signpost_of(head: RecordHead) -> RecordHead:
    """The signpost that leads to a record of one variant, and to those of the others."""
    return replace(
        head, variant=b"", tags=(), status=0, fields=(), length=0, part=WHOLE, checksums=()
    )


def is_too_large(head: RecordHead) -> bool:
    """Whether a head has more in it than a record is for."""
    fields_bytes = sum(len(name) + len(value) + 8 for name, value in head.fields)
    return fields_bytes + sum(map(len, head.tags)) > _FIELDS_MAX_BYTES


def times_of(head: RecordHead, now: Now) -> tuple[Times, bool]:
    """When the response came, on this process's clocks, and whether that can be trusted."""
    came = Mark(
        wall=head.response_wall,
        delay_s=head.response_delay_s,
        boot_s=head.response_boot,
        boot_id=head.boot_id,
    )
    return times_at(came, now)

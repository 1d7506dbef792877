"""Which records are parts of one response, and which make another one needless."""

from typing import Final

from cache_policies.message import ResponseHead
from edge.held import combines_by
from edge.record import RecordHead

RENEWED_S: Final = 10.0  # what came so much later is news


def etag_of(head: RecordHead) -> bytes | None:
    """The tag by which its slices combine with others of the same bytes (RFC 9111 §3.4)."""
    return combines_by(ResponseHead(head.status, head.fields))


def belongs(part: RecordHead, head: RecordHead) -> bool:
    """Whether a slice is one of the body that a head tells of, and not from before it.

    Without a strong validator it must have come in the very same response.
    """
    same = (part.key, part.variant, part.vary, part.length, part.log_id) == (
        *(head.key, head.variant, head.vary, head.length, head.log_id),
    )
    etag = etag_of(head)
    if etag is not None:
        is_of_it = etag_of(part) == etag
    else:
        came = (head.response_wall, head.response_delay_s)
        is_of_it = (part.response_wall, part.response_delay_s) == came
    return same and is_of_it and part.purge_sequence >= head.purge_sequence


def stands_for(there: RecordHead, head: RecordHead) -> bool:
    """Whether what is there makes writing a record needless: it says the same, as of late."""
    if (there.vary, there.part) != (head.vary, head.part):
        return False
    if head.is_signpost:
        return there.is_signpost and (there.key, there.log_id) == (head.key, head.log_id)
    if there.status != head.status or not belongs(there, head):
        return False
    return head.part >= 0 or there.response_wall + RENEWED_S > head.response_wall


def is_newer(there: RecordHead, head: RecordHead) -> bool:
    """Whether what is there comes after purges that a record may not come after."""
    same = (there.key, there.variant, there.part, there.log_id) == (
        *(head.key, head.variant, head.part, head.log_id),
    )
    return same and not head.is_signpost and there.purge_sequence > head.purge_sequence

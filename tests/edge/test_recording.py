"""What is written down of an entry, and what another process, or machine, reads of it."""

from dataclasses import replace

import pytest

from edge.entry import Entry
from edge.record import HEAD_MAX_BYTES, SLICED, WHOLE, decode, encode
from edge.recording import head_of, is_too_large, signpost_of, times_of
from edge.residence import Now
from tests.support.responses import NOW_MONO, NOW_WALL, stored

KEY = b"http://h/a"
BOOT = Now(wall=NOW_WALL + 5, mono=NOW_MONO + 5, boot_s=7_005.0, boot_id=b"b" * 16)
AWAY = Now(wall=NOW_WALL + 5, mono=50.0, boot_s=1.0, boot_id=b"c" * 16)
RESPONSE = replace(
    stored('cc: max-age=60 | etag: "1" | vary: accept | surrogate-key: x y', asked="accept: z"),
    purge_sequence=9,
)
ENTRY = Entry(KEY, RESPONSE, [b"hello"])


def test_a_head_says_all_of_an_entry() -> None:
    head = head_of(ENTRY, SLICED, log_id=b"l" * 8, number=9, now=BOOT)
    assert decode(encode(head)) == head
    assert (head.key, head.status, head.fields) == (KEY, 200, RESPONSE.fields)
    assert (head.vary, head.variant) == (RESPONSE.vary, RESPONSE.variant)
    assert (head.tags, head.length, head.part) == ((b"x", b"y"), 5, SLICED)
    assert (head.log_id, head.purge_sequence) == (b"l" * 8, 9)
    assert (head.response_wall, head.response_boot) == (NOW_WALL, 7_000.0)


@pytest.mark.parametrize(
    ("now", "age_s", "trusted"),
    [
        (BOOT, 5.0, True),
        (replace(BOOT, wall=NOW_WALL + 1), 5.0, True),  # set back: this uptime knows better
        (replace(BOOT, wall=NOW_WALL + 9), 9.0, True),
        (replace(BOOT, wall=NOW_WALL - 3), 5.0, False),
        (AWAY, 5.0, True),
        (replace(AWAY, boot_s=1e6), 5.0, True),  # another machine's uptime says nothing
        (replace(AWAY, wall=NOW_WALL - 2), 0.0, True),
        (replace(AWAY, wall=NOW_WALL - 2.1), 0.0, False),
    ],
)
def test_its_age_elsewhere(now: Now, age_s: float, trusted: bool) -> None:
    head = head_of(ENTRY, WHOLE, log_id=b"l" * 8, number=9, now=BOOT)
    times, is_trusted = times_of(head, now)
    assert now.mono - times.response_mono == pytest.approx(age_s)
    assert is_trusted is trusted


def test_a_signpost_says_where_to_look_only() -> None:
    head = head_of(ENTRY, SLICED, log_id=b"l" * 8, number=9, now=BOOT)
    signpost = signpost_of(head)
    assert signpost.is_signpost
    assert decode(encode(signpost)) == signpost
    assert (signpost.key, signpost.vary) == (head.key, head.vary)
    assert (signpost.variant, signpost.fields, signpost.tags) == (b"", (), ())


@pytest.mark.parametrize("large", ["fields", "tags"])
def test_what_is_too_large_for_a_head(large: str) -> None:
    head = head_of(ENTRY, WHOLE, log_id=b"l" * 8, number=9, now=BOOT)
    assert not is_too_large(head)
    text = b"x" * (HEAD_MAX_BYTES // 4)
    other = replace(head, fields=((b"x", text),)) if large == "fields" else head
    assert is_too_large(replace(other, tags=(text,)) if large == "tags" else other)

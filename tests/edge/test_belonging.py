"""Which slices make up one body, and what need not be written once more."""

from dataclasses import replace

import pytest

from edge.belonging import RENEWED_S, belongs, stands_for
from edge.record import SLICED, WHOLE, RecordHead
from edge.recording import signpost_of

STRONG = ((b"etag", b'"1"'),)
HEAD = RecordHead(
    key=b"http://a/b",
    variant=b"x",
    status=200,
    fields=STRONG,
    response_wall=1e9,
    response_delay_s=0.5,
    boot_id=b"b" * 16,
    response_boot=7.0,
    log_id=b"l" * 8,
    purge_sequence=9,
    length=3_000_000,
    part=SLICED,
)
SLICE = replace(HEAD, part=1)
WEAK = ((b"etag", b'W/"1"'),)
LATER = {"response_wall": HEAD.response_wall + 100}


@pytest.mark.parametrize(
    ("head", "changed", "is_part"),
    [
        ({}, {}, True),
        ({}, {"response_wall": 5.0}, True),
        ({}, {"purge_sequence": 10}, True),
        ({}, {"purge_sequence": 8}, False),
        ({}, {"fields": ((b"etag", b'"2"'),)}, False),
        ({}, {"fields": WEAK}, False),
        ({}, {"fields": ()}, False),
        ({}, {"length": 3_000_001}, False),
        ({}, {"key": b"http://a/c"}, False),
        ({}, {"variant": b"y"}, False),
        ({}, {"vary": (b"accept",)}, False),
        ({}, {"log_id": b"m" * 8}, False),
        ({"fields": WEAK}, {}, True),
        ({"fields": WEAK}, LATER, False),
        ({"fields": ()}, {}, True),
        ({"fields": ()}, LATER, False),
        ({"fields": ()}, {"response_delay_s": 0.6}, False),
        ({"status": 203}, LATER, False),
    ],
)
def test_belongs(head: dict[str, object], changed: dict[str, object], is_part: bool) -> None:
    whole = replace(HEAD, **head)  # type: ignore[arg-type]
    part = replace(whole, part=1, **changed)  # type: ignore[arg-type]
    assert belongs(part, whole) is is_part


@pytest.mark.parametrize(
    ("there", "head", "stands"),
    [
        (SLICE, SLICE, True),
        (replace(SLICE, part=2), SLICE, False),
        (replace(SLICE, purge_sequence=8), SLICE, False),
        (SLICE, replace(SLICE, **LATER), True),  # the bytes are the same
        (HEAD, HEAD, True),
        (HEAD, replace(HEAD, response_wall=HEAD.response_wall + RENEWED_S - 1), True),
        (HEAD, replace(HEAD, response_wall=HEAD.response_wall + RENEWED_S), False),
        (replace(HEAD, **LATER), HEAD, True),
        (replace(HEAD, part=WHOLE), HEAD, False),
        (replace(HEAD, status=404), HEAD, False),
        (signpost_of(HEAD), signpost_of(HEAD), True),
        (signpost_of(replace(HEAD, vary=(b"a",))), signpost_of(HEAD), False),
        (signpost_of(replace(HEAD, log_id=b"m" * 8)), signpost_of(HEAD), False),
        (signpost_of(replace(HEAD, purge_sequence=1)), signpost_of(HEAD), True),
        (replace(HEAD, part=WHOLE), signpost_of(HEAD), False),
    ],
)
def test_stands_for(there: RecordHead, head: RecordHead, stands: bool) -> None:
    assert stands_for(there, head) is stands

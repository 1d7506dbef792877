"""Bodies of any coding, and those that mean harm."""

import gzip

import brotli
import pytest

from edge.content_codings import decoded

BODY = b"#EXTM3U\n" * 100
CODED = {b"": BODY, b"identity": BODY, b"gzip": gzip.compress(BODY), b"br": brotli.compress(BODY)}


@pytest.mark.parametrize("coding", CODED)
def test_what_is_read(coding):
    assert decoded(CODED[coding], coding, len(BODY)) == BODY
    assert decoded(CODED[coding], coding, len(BODY) - 1) is None
    assert decoded(CODED[coding], b" " + coding.upper(), 1 << 20) == BODY


@pytest.mark.parametrize("coding", [b"gzip", b"br"])
def test_what_is_broken_or_swells(coding):
    bomb = bytes(1 << 24)
    packed = gzip.compress(bomb) if coding == b"gzip" else brotli.compress(bomb, quality=1)
    assert decoded(packed, coding, 1 << 19) is None
    for broken in (CODED[coding][:-3], b"", b"no", BODY):
        assert decoded(broken, coding, 1 << 20) is None


def test_a_coding_that_nobody_knows():
    assert decoded(BODY, b"zstd", 1 << 20) is None
    assert decoded(BODY, b"gzip, br", 1 << 20) is None

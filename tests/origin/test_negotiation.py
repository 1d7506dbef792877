"""Accept-Encoding, as a table (RFC 9110 §12.5.3)."""

import gzip

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.negotiation import choose, is_compressible, variants

BOTH = ("br", "gzip")


@pytest.mark.parametrize(
    ("accept_encoding", "available", "coding"),
    [
        (None, BOTH, "identity"),
        ("", BOTH, "identity"),
        ("gzip, deflate, br, zstd", BOTH, "br"),
        ("GZIP", BOTH, "gzip"),
        ("x-gzip", BOTH, "gzip"),
        ("br;q=0.5, gzip;q=0.6", BOTH, "gzip"),
        ("br;q=0, gzip", BOTH, "gzip"),
        ("*", BOTH, "br"),
        ("*;q=0", BOTH, "identity"),
        ("br;q=0, *;q=0.1", BOTH, "gzip"),
        ("identity, gzip;q=0.5", BOTH, "identity"),
        ("identity;q=0.5, gzip;q=0.5", BOTH, "gzip"),
        ("br;q=2", BOTH, "identity"),
        ("br;q=junk", BOTH, "identity"),
        ("br;q=1.000 , gzip;q=0.999", BOTH, "br"),
        ("br", ("gzip",), "identity"),
        ("br, gzip", (), "identity"),
        (",,;q=1,br", BOTH, "br"),
    ],
)
def test_choice(accept_encoding: str | None, available: tuple[str, ...], coding: str) -> None:
    assert choose(accept_encoding, available) == coding


@given(st.text(max_size=60))
def test_any_field_value_has_an_answer(value: str) -> None:
    assert choose(value, BOTH) in {"identity", *BOTH}


@given(st.binary(max_size=2_000))
def test_variants_are_the_same_bytes_and_smaller(body: bytes) -> None:
    made = variants(body, "application/vnd.apple.mpegurl")
    undo = {"br": brotli.decompress, "gzip": gzip.decompress}
    for coding, small in made.items():
        assert undo[coding](small) == body
        assert len(small) < len(body)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/vnd.apple.mpegurl", True),
        ("text/vtt; charset=utf-8", True),
        ("application/json", True),
        ("image/jpeg", False),
        ("video/mp4", False),
    ],
)
def test_only_text_is_compressed(content_type: str, expected: bool) -> None:
    assert is_compressible(content_type) is expected
    assert bool(variants(b"a" * 1_000, content_type)) is expected

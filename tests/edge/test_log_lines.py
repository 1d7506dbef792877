"""A line is one JSON object, names no player and holds no secret."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.log_lines import PATH_BYTES_MAX, Line, json_text, masked, network, path_text, rendered

LINE = {
    "wall": 1_763_734_264.5,
    "client": b"192.0.2.77",
    "method": b"GET",
    "host": b"edge.test",
    "target": b"/a?CMCD=bl%3D1",
    "http": b"1.1",
    "status": 200,
    "sent_bytes": 7,
    "result": "miss",
    "reason": "no-store",
    "tier": "origin",
}


def test_a_line_says_what_happened() -> None:
    text = rendered(Line(**LINE, ttl_s=-3, first_byte_s=0.0015, total_s=2.0, cut=True))
    assert text.endswith(b"}\n")
    assert json.loads(text) == {
        "time": "2025-11-21T14:11:04.500Z",
        "client": "192.0.2.0",
        "http": "1.1",
        "method": "GET",
        "host": "edge.test",
        "path": "/a?CMCD=bl%3D1",
        "status": 200,
        "bytes": 7,
        "first_byte_ms": 1.5,
        "total_ms": 2000.0,
        "ttl": -3,
        "cut": True,
        "result": "miss",
        "reason": "no-store",
        "tier": "origin",
    }


def test_what_is_not_known_is_left_out() -> None:
    said = json.loads(rendered(Line(**LINE)))
    assert not {"ttl", "first_byte_ms", "total_ms", "cut"} & said.keys()


@given(st.binary(), st.binary(), st.binary())
def test_any_bytes_make_one_line_of_json(target: bytes, host: bytes, method: bytes) -> None:
    text = rendered(Line(**LINE | {"target": target, "host": host, "method": method}))
    assert text.count(b"\n") == 1
    assert text.isascii()
    assert json.loads(text)["host"].encode("latin-1") == host


@given(st.binary())
def test_text_keeps_every_byte(raw: bytes) -> None:
    assert json.loads(b'"' + json_text(raw) + b'"').encode("latin-1") == raw


@pytest.mark.parametrize(
    ("address", "known"),
    [
        (b"192.0.2.77", b"192.0.2.0"),
        (b"2001:db8:1:2:3::4", b"2001:db8:1::"),
        (b"::ffff:192.0.2.77", b"192.0.2.0"),
        (b"fe80::1%eth0", b"fe80::"),
        (b"unknown", b""),
        (b"\xff", b""),
    ],
)
def test_addresses_are_cut_to_their_network(address: bytes, known: bytes) -> None:
    assert network(address) == known


@pytest.mark.parametrize(
    ("target", "logged"),
    [
        (b"/a", b"/a"),
        (b"/a?b=1", b"/a?b=1"),
        (b"/token", b"/token"),
        (b"/a?token=x&b=1", b"/a?token=-&b=1"),
        (b"/a?b=1&X-Amz-Signature=abc=", b"/a?b=1&X-Amz-Signature=-"),
        (b"/a?hdnts=exp=1~hmac=2", b"/a?hdnts=-"),
        (b"/a?Key-Pair-Id=1&keyless", b"/a?Key-Pair-Id=-&keyless"),
        (b"/a?CMCD=sid%3Dtoken", b"/a?CMCD=sid%3Dtoken"),
        (b"/a?b=1;token=x;c=2&sig=y", b"/a?b=1;token=-;c=2&sig=-"),
        (b"/a?code=x&otp=1&md5=2&hash=3", b"/a?code=-&otp=-&md5=-&hash=-"),
    ],
)
def test_secrets_are_left_out(target: bytes, logged: bytes) -> None:
    assert masked(target) == logged


@pytest.mark.parametrize(
    ("target", "logged"),
    [
        (b"/~%b/v/a", b"/v/a"),
        (b"/v/~%b/a", b"/v/~-/a"),
        (b"/%%7E%b/v/a", b"/%7E-/v/a"),  # as some clients write a tilde
        (b"/%%257e%b/v/a", b"/%257e-/v/a"),
        (b"/a?to=%%2F~%b%%2Fv", b"/a?to=%2F~-%2Fv"),
        (b"/a?CMCD=nor%%3D%%22%%252F%%7E%b%%252Fv", b"/a?CMCD=nor%3D%22%252F%7E-%252Fv"),
    ],
)
def test_tokens_are_left_out_however_they_are_spelled(target: bytes, logged: bytes) -> None:
    assert path_text(target % (b"x" * 44)) == logged
    assert path_text(target % b"short") == (target % b"short")


def test_long_targets_are_cut() -> None:
    assert path_text(b"/" * PATH_BYTES_MAX) == b"/" * PATH_BYTES_MAX
    assert path_text(b"/" * 9000) == b"/" * PATH_BYTES_MAX + b"..."

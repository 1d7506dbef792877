"""Header blocks say what the heads say that they are made of, to any decoder."""

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.hpack import HEADS_KEPT_MAX, Blocks

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=40)
NAMES = st.one_of(
    TOKENS,
    st.sampled_from(["age", "cache-control", "set-cookie", "content-type", "www-authenticate"]),
).filter(lambda name: name not in HOP_BY_HOP)
VALUES = st.one_of(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=50),
    st.integers(120, 140).map(lambda size: "v" * size),
    st.just("v" * 20_000),
)
HOP_BY_HOP = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")


def head(status: int, fields: list[tuple[str, str]]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode()


def decoded(block: bytes) -> list[tuple[str, str]]:
    decoder = hpack.Decoder(max_header_list_size=1 << 20)
    fields = decoder.decode(block)
    assert not decoder.header_table.dynamic_entries
    return [(str(name), str(value)) for name, value in fields]


@given(st.integers(100, 999), st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_blocks(status, fields):
    blocks = Blocks()
    for _ in range(2):  # made, then known
        block = blocks.of(head(status, fields))
        assert decoded(block) == [(":status", str(status)), *fields]


@pytest.mark.parametrize("name", HOP_BY_HOP)
def test_fields_of_a_connection_are_left_out(name):
    said = head(200, [("a", "b"), (name.title(), "x"), ("C", "d")])
    assert decoded(Blocks().of_once(said)) == [(":status", "200"), ("a", "b"), ("c", "d")]


def test_what_is_kept_is_bounded():
    blocks = Blocks()
    for number in range(3 * HEADS_KEPT_MAX):
        blocks.of(head(200, [("age", str(number)), ("x", str(number))]))
    assert len(blocks._heads) <= HEADS_KEPT_MAX
    assert len(blocks._lines) <= 4096

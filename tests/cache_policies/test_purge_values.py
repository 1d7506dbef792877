"""A value names one thing, written in one way, or it is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.purge_values import ValueRefusedError, tag_value, url_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("http://h/a?b=1", b"http://h/a?b=1"),
        ("/any/host#part", b"/any/host"),
        ("https://h/tânân b%20c", b"https://h/t%C3%A2n%C3%A2n%20b%20c"),
    ],
)
def test_a_url_is_as_a_request_line_has_it(text: str, value: bytes) -> None:
    assert url_value(text, max_bytes=100) == value


@pytest.mark.parametrize("text", ["", "h/a", "ftp://h/a", "http://", "http://[h/a", "/\ud800"])
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(ValueRefusedError):
        url_value(text, max_bytes=100)


@pytest.mark.parametrize("text", ["", "a b", "a\tb", "a\x00b", "a\x7f", "\u2003", "\ud800"])
def test_what_is_no_tag_is_refused(text: str) -> None:
    with pytest.raises(ValueRefusedError):
        tag_value(text, max_bytes=100)


def test_values_are_bounded() -> None:
    assert tag_value("a" * 9, max_bytes=9) == b"a" * 9
    with pytest.raises(ValueRefusedError, match="at most 9 bytes"):
        tag_value("a" * 10, max_bytes=9)
    with pytest.raises(ValueRefusedError, match="at most 9 bytes"):
        url_value("/ăăă", max_bytes=9)


@given(st.text().map(lambda text: "/" + text))
def test_a_value_that_was_read_reads_as_itself(text: str) -> None:
    try:
        value = url_value(text, max_bytes=1_000)
    except ValueRefusedError:
        return
    assert url_value(value.decode("ascii"), max_bytes=1_000) == value

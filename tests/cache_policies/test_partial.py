"""Which part of a representation an answer carries, and what may be combined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.message import ResponseHead
from cache_policies.partial import Part, as_whole, carried_part, continues, rest_fields, strong_etag
from tests.support.table import fields, table


@pytest.mark.parametrize(
    "case",
    table("""
        status  fields                                                     part    source
        206     content-range: bytes 0-4/10                                0-4/10  9110 §14.4
        206     content-range: Bytes 5-9/10                                5-9/10  9110 §14.1
        206     content-range: bytes 5-9/*                                 5-9/*   9110 §14.4
        206     content-range: bytes 5-10/10                               -       9110 §14.4
        206     content-range: bytes 5-4/10                                -       9110 §14.4
        206     content-range: bytes */10                                  -       9110 §14.4
        206     content-range: lines 0-4/10                                -       9110 §14.4
        206     content-range: bytes 0-4/10, bytes 5-9/10                  -       9110 §14.4
        206     content-range: bytes 0-4/10 | content-range: bytes 5-9/10  -       9110 §15.3.7.1
        206     content-type: multipart/byteranges; boundary=x             -       9110 §15.3.7.2
        206     content-range: bytes 0-99999999999999999999/*              -       9110 §14.4
        200     content-range: bytes 0-4/10                                -       9110 §14.4
    """),
    ids=str,
)
def test_the_part_that_a_response_carries(case) -> None:
    part = carried_part(ResponseHead(int(case["status"]), fields(case["fields"])))
    said = "" if part is None else f"{part.first}-{part.last}/{part.length or '*'}"
    assert said == case["part"]
    assert part is None or part.size == part.last - part.first + 1


@pytest.mark.parametrize(
    ("etag", "strong"),
    [
        ('"a"', True),
        ('""', True),
        ('W/"a"', False),
        ("a", False),
        ('"a', False),
        ('"a" "b"', False),
    ],
)
def test_only_a_strong_tag_names_bytes(etag: str, strong: bool) -> None:
    found = strong_etag(ResponseHead(200, ((b"etag", etag.encode()),)))
    assert found == (etag.encode() if strong else None)


def test_two_tags_name_nothing() -> None:
    assert strong_etag(ResponseHead(200, ((b"etag", b'"a"'), (b"etag", b'"b"')))) is None


@pytest.mark.parametrize(
    "case",
    table("""
        asked  length  status  fields                                    brings    source
        3      10      206     etag: "a" | content-range: bytes 3-9/10   3-9/10    9111 §3.4
        3      10      206     etag: "a" | content-range: bytes 3-5/10   3-5/10    9110 §14.2
        3      10      206     etag: "a" | content-range: bytes 3-9/*    3-9/10    9110 §14.4
        3      -       206     etag: "a" | content-range: bytes 3-9/10   3-9/10    9111 §3.4
        3      -       206     etag: "a" | content-range: bytes 3-9/*    -         9111 §3.4
        3      10      206     etag: "b" | content-range: bytes 3-9/10   -         9111 §3.4
        3      10      206     content-range: bytes 3-9/10               -         9111 §3.4
        3      10      206     etag: W/"a" | content-range: bytes 3-9/10  -         9110 §15.3.7.3
        3      10      206     etag: "a" | content-range: bytes 4-9/10   -         9110 §15.3.7.3
        3      10      206     etag: "a" | content-range: bytes 3-9/11   -         9111 §3.4
        3      10      206     etag: "a"                                 -         9110 §14.4
        3      10      200     etag: "a" | content-length: 10            0-9/10    9110 §14.2
        3      10      200     etag: "a" | content-length: 11            -         9111 §3.4
        3      -       200     etag: "a" | content-length: 10            0-9/10    9110 §14.2
        3      10      200     etag: "b" | content-length: 10            -         9110 §13.1.5
        3      10      200     etag: "a"                                 -         9111 §3.4
        3      10      416     etag: "a" | content-range: bytes */10     -         9110 §15.5.17
        3      10      503     etag: "a" | content-length: 10            -         9110 §15.6.4
    """),
    ids=str,
)
def test_what_goes_on_where_a_body_broke_off(case) -> None:
    response = ResponseHead(int(case["status"]), fields(case["fields"]))
    length = int(case["length"]) if case["length"] else None
    part = continues(response, b'"a"', int(case["asked"]), length)
    assert case["brings"] == ("" if part is None else f"{part.first}-{part.last}/{part.length}")


@given(first=st.integers(0, 1 << 40), size=st.integers(1, 1 << 40), more=st.integers(0, 1 << 40))
def test_what_is_asked_is_what_is_brought(first: int, size: int, more: int) -> None:
    wanted = Part(first, first + size - 1, first + size + more)
    said = dict(rest_fields(b'"a"', wanted.first, wanted.last))
    assert said == {b"range": b"bytes=%d-%d" % (first, wanted.last), b"if-range": b'"a"'}
    place = b"bytes %d-%d/%d" % (wanted.first, wanted.last, first + size + more)
    response = ResponseHead(206, ((b"etag", b'"a"'), (b"content-range", place)))
    assert continues(response, b'"a"', wanted.first, wanted.length) == wanted


@pytest.mark.parametrize(
    "case",
    table("""
        status  fields                                                         whole  source
        206     etag: "a" | content-range: bytes 3-9/10 | content-length: 7    10     9111 §3.4
        206     etag: W/"a" | content-range: bytes 3-9/10                      -      9111 §3.4
        206     etag: "a" | content-range: bytes 3-9/*                         -      9111 §3.4
        206     content-range: bytes 3-9/10                                    -      9111 §3.4
        200     etag: "a" | content-length: 10                                 -      9110 §15.3.1
    """),
    ids=str,
)
def test_the_whole_that_a_part_belongs_to(case) -> None:
    whole = as_whole(ResponseHead(int(case["status"]), fields(case["fields"])))
    if not case["whole"]:
        assert whole is None
    else:
        assert whole is not None
        assert whole.status == 200
        assert whole.get(b"content-length") == case["whole"].encode()
        assert whole.get(b"content-range") is None
        assert strong_etag(whole) == b'"a"'

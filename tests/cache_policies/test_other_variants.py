"""A miss of one variant offers the origin the others; a 304 may make one of them the answer."""

import pytest

from cache_policies.other_variants import chosen, may_answer, tag_fields
from tests.support.responses import request, response, stored
from tests.support.table import fields, table


@pytest.mark.parametrize(
    "case",
    table("""
    stored                                        asks                        may  source
    etag: "a" | vary: b                           b: 2                        yes  9111 §4.1
    etag: W/"a" | vary: b                         b: 2                        no   9111 §4.3.4
    last-modified: @-60 | vary: b                 b: 2                        no   9111 §4.3.4
    etag: "a" | etag: "b" | vary: b               b: 2                        no   9110 §8.8.3
    etag: a | vary: b                             b: 2                        no   9110 §8.8.3
    etag: "a" | vary: origin                      origin: http://x            no   for one site
    etag: "a" | vary: b, cookie                   b: 2                        no   for one user
    etag: "a" | vary: authorization               b: 2                        no   for one user
    etag: "a" | vary: b | set-cookie: u=1         b: 2                        no   for one user
    etag: "a" | vary: b | access-control-age: 1   b: 2                        no   for one site
    etag: "a" | content-encoding: gzip            -                           no   9110 §12.5.3
    etag: "a" | content-encoding: gzip            accept-encoding: br         no   9110 §12.5.3
    etag: "a" | content-encoding: gzip            accept-encoding: gzip;q=0   no   9110 §12.5.3
    etag: "a" | content-encoding: gzip            accept-encoding: gzip;q=x   no   9110 §12.5.3
    etag: "a" | content-encoding: GZip            accept-encoding: br, gzip   yes  9110 §12.5.3
    etag: "a" | content-encoding: gzip            accept-encoding: x-gzip     yes  9110 §8.4.1.3
    etag: "a" | content-encoding: gzip, br        accept-encoding: gzip       no   9110 §12.5.3
    etag: "a" | content-encoding: identity        -                           yes  9110 §12.5.3
    """),
    ids=str,
)
def test_which_variants_are_offered(case):
    assert may_answer(stored(case["stored"]), request(case["asks"])) == (case["may"] == "yes")


def test_errors_and_endless_tags_are_not_offered():
    assert not may_answer(stored('etag: "a"', status=404), request())
    assert not may_answer(stored(f'etag: "{"a" * 300}"'), request())


def test_each_tag_is_named_once():
    others = [stored('etag: "a"'), stored('etag: "b, c"'), stored('etag: "a"'), stored()]
    assert tag_fields(others) == fields('if-none-match: "a", "b, c"')
    assert tag_fields([]) == ()


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ('etag: "b"', 1),
        ('etag: "c"', None),
        ('etag: W/"b"', None),
        ("", None),
        ('etag: "a" | etag: "b"', None),
    ],
)
def test_only_its_strong_tag_chooses_a_variant(told, number):
    others = [stored('etag: "a"'), stored('etag: "b"'), stored('etag: "b" | x: 2')]
    assert chosen(others, response(told, status=304)) == number

"""What is left of a query: a table, and that reducing twice is reducing once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.glob import parse_glob
from cache_policies.query import Query
from tests.support.table import table


def query(keep: str | None = None, drop: str | None = None, *, sort: bool = False) -> Query:
    keep_globs, drop_globs = (
        None if names is None else tuple(parse_glob(name.encode()) for name in names.split())
        for names in (keep, drop)
    )
    return Query(keep_globs, drop_globs, sort)


QUERIES = {
    "keep a b": query("a b"),
    "keep nothing": query(""),
    "drop utm_*": query(drop="utm_*"),
    "sort": query(sort=True),
    "drop a, sort": query(drop="a", sort=True),
}


@pytest.mark.parametrize(
    "case",
    table("""
    what          target                    left
    keep a b      /p?c=1&a=2&b=3&a=4        /p?a=2&b=3&a=4
    keep a b      /p?c=1                    /p
    keep a b      /p?%61=1&a%3D=2           /p?%61=1
    keep a b      /p?aa=1&A=2               /p
    keep nothing  /p?a=1                    /p
    keep nothing  /p                        /p
    drop utm_*    /p?utm_source=x&a=1&utm_  /p?a=1
    drop utm_*    /p?a=1&UTM_x=1            /p?a=1&UTM_x=1
    drop utm_*    /p?utm%5Fx=1              /p
    sort          /p?b=2&a=1&a=0            /p?a=0&a=1&b=2
    sort          /p?&&b&a                  /p?a&b
    drop a, sort  /p?c&a=1&b                /p?b&c
"""),
    ids=str,
)
def test_a_query_is_reduced(case):
    assert QUERIES[case["what"]].reduce(case["target"].encode()) == case["left"].encode()


@given(st.sampled_from(sorted(QUERIES)), st.text("ab=&%61_utm?+", max_size=20))
def test_reducing_twice_is_reducing_once(what, text):
    once = QUERIES[what].reduce(b"/p?" + text.encode())
    assert QUERIES[what].reduce(once) == once

"""Requests share a variant exactly when they say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.vary import (
    REMEMBERED_BYTES_MAX,
    accept_encoding,
    accept_language,
    variant_key,
    vary_names,
)
from tests.support.table import fields, table


@pytest.mark.parametrize(
    "case",
    table("""
    fields                 names            source
    -                      -                9110 §12.5.5
    vary: Accept-Encoding  accept-encoding  9110 §12.5.5
    vary: b, A | vary: a   a b              9110 §5.3
    vary: a, *             *                9111 §4.1
    vary: ,                -                9110 §5.6.1.2
    """),
    ids=str,
)
def test_vary_names(case):
    assert vary_names(fields(case["fields"])) == tuple(case["names"].encode().split())


@pytest.mark.parametrize(
    "case",
    table("""
    name             one                 other           same  source
    accept-encoding  gzip, br            br,gzip         yes   9111 §4.1 order says nothing
    accept-encoding  gzip;q=1.0, br      GZIP, br;q=1    yes   9110 §12.4.2
    accept-encoding  gzip;q=0.9, br      br, gzip;q=0.2  yes   the same preference
    accept-encoding  gzip, br;q=0.5      br, gzip;q=0.5  no    another preference
    accept-encoding  gzip, br;q=0        gzip            no    br is refused
    accept-encoding  gzip, gzip          gzip            yes   said twice
    accept-encoding  x-gzip              gzip            yes   9110 §8.4.1.3
    accept-encoding  X-GZIP, x-compress  compress, gzip  yes   9110 §8.4.1
    accept-encoding  x-gzipped           gzipped         no    other names
    accept-encoding  gzip ; q=0.5        gzip;Q=0.5      yes   9110 §5.6.3
    accept-encoding  gzip;q=2            gzip            no    malformed: as it stands
    accept-encoding  gzip;level=9        gzip            no    malformed: as it stands
    accept-encoding  *                   gzip            no    9110 §12.5.3
    accept-language  de, en;q=0.5        DE,en;q=0.1     yes   9110 §12.5.4
    accept-language  de, en              en, de          yes   9110 §12.5.4 no order among equals
    accept-language  de, en;q=0.9        en, de;q=0.9    no    9110 §12.5.4
    accept-language  en, de              en , de         yes   9110 §5.6.3
    x                1,2                 1 , 2           yes   9111 §4.1 whitespace says nothing
    x                1,,2                1,2             no    it may be no list
    x                "1, 2"              "1,2"           no    9110 §5.6.4 but within quotes
    x                1 2                 12              no    9111 §4.1
    accept-language  de-AT               de              no    9110 §12.5.4
    accept-language  de_AT!, en          de_at!, en      yes   any token
    accept-language  de/AT               de/at           no    malformed: as it stands
    user-agent       a b                 a B             no    9111 §4.1
    """),
    ids=str,
)
def test_variants(case):
    vary = (case["name"].encode(),)
    one, other = (
        variant_key(vary, ((vary[0], case[column].encode()),)) for column in ("one", "other")
    )
    assert (one == other) == (case["same"] == "yes")


def test_a_value_that_is_too_long_counts_as_it_stands():
    long = b"gzip, " * REMEMBERED_BYTES_MAX
    assert (accept_encoding(long), accept_language(long)) == (long, long)


def test_an_absent_field_differs_from_an_empty_one():
    assert variant_key((b"a",), ()) != variant_key((b"a",), ((b"a", b""),))
    assert variant_key((b"accept-encoding",), ()) != variant_key(
        (b"accept-encoding",), ((b"accept-encoding", b""),)
    )


def test_lines_combine_before_comparing():
    vary = (b"a", b"b")
    assert variant_key(vary, fields("a: 1 | b: 3 | a: 2")) == variant_key(
        vary, fields("b: 3 | a: 1, 2")
    )


def test_without_vary_there_is_one_variant():
    assert variant_key((), fields("a: 1")) == b""


VALUES = st.text("abc", min_size=1, max_size=2).map(str.encode)


@given(st.dictionaries(VALUES, VALUES), st.dictionaries(VALUES, VALUES))
def test_variants_are_equal_exactly_when_all_selecting_fields_are(one, other):
    vary = (b"a", b"b", b"c")
    keys = [variant_key(vary, tuple(lines.items())) for lines in (one, other)]
    alike = all(one.get(name) == other.get(name) for name in vary)
    assert (keys[0] == keys[1]) == alike


CODINGS = st.lists(
    st.tuples(st.sampled_from(["gzip", "br", "zstd", "identity", "*"]), st.integers(0, 1000)),
    unique_by=lambda pair: pair[0],
)


@given(CODINGS.flatmap(lambda pairs: st.tuples(st.just(pairs), st.permutations(pairs))))
def test_the_order_of_codings_never_matters(both):
    one, other = (
        ", ".join(f"{name};q={q / 1000:.3f}" for name, q in pairs).encode() for pairs in both
    )
    assert accept_encoding(one) == accept_encoding(other)


@given(st.binary(max_size=40))
def test_junk_never_raises(value):
    accept_encoding(value)
    accept_language(value)

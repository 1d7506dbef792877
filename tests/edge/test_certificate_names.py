"""Which certificate a name gets."""

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.certificate_names import best_for, names_in
from tests.support.tls import EDGE, NAMELESS, WILD

NAMES = {
    EDGE: ("edge.test", "localhost"),
    WILD: ("*.wild.test", "wild.test"),
    NAMELESS: (),
}


def der(pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(Path(pair.certificate).read_text())


@pytest.mark.parametrize("pair", NAMES, ids=lambda pair: pair.certificate.rpartition("/")[2])
def test_names(pair):
    assert names_in(der(pair)) == NAMES[pair]


@given(st.binary(max_size=60), st.integers(0, 700), st.integers(0, 700))
def test_junk_is_refused_or_has_names(junk, begin, end):
    for data in (junk, der(EDGE)[:end], der(EDGE)[:begin] + junk + der(EDGE)[end:]):
        try:
            names_in(data)
        except ValueError:
            continue


KEPT = {"a.test": 1, "*.b.test": 2, "b.test": 3, "x.b.test": 4, "*.": 5}
CHOSEN = {
    None: 0,
    "": 0,
    "a.test": 1,
    "A.Test": 1,
    "a.test.": 1,
    "www.a.test": 0,
    "b.test": 3,
    "y.b.test": 2,
    "x.b.test": 4,
    "z.y.b.test": 0,
    "*.b.test": 2,
    "localhost": 0,
}


@pytest.mark.parametrize("name", CHOSEN)
def test_choice(name):
    assert best_for(name, KEPT, 0) == CHOSEN[name]

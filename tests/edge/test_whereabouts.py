"""Who is believed about where a player is."""

import pytest

from edge.clients import TrustedProxies
from edge.whereabouts import NOWHERE, Whereabouts
from tests.support.table import table


@pytest.mark.parametrize("case", table("""
    own    field         from      said                    region
    north  x-region      10.0.0.1  DE                      de
    north  x-region      10.0.0.1  eu-West-1               eu-west-1
    north  x-region      10.0.0.1  -                       north
    north  x-region      10.0.0.1  de,fr                   north
    north  x-region      10.0.0.1  a_b                     north
    north  x-region      9.9.9.9   DE                      north
    north  -             10.0.0.1  DE                      north
    -      -             9.9.9.9   DE                      here
"""), ids=str)  # fmt: skip
def test_region(case):
    where = Whereabouts(case["own"], TrustedProxies(["10.0.0.0/8"]), case["field"].encode())
    fields = ((b"x-region", case["said"].encode()),) if case["said"] else ()
    assert where.region(case["from"].encode(), fields) == case["region"]


def test_a_region_that_is_told_twice_is_not_believed():
    where = Whereabouts("", TrustedProxies(["10.0.0.0/8"]), b"x-region")
    assert where.region(b"10.0.0.1", ((b"x-region", b"de"), (b"x-region", b"fr"))) == NOWHERE

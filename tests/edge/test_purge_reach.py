"""A purge names what rules have stored under other names, too, and nothing else."""

import pytest

from cache_policies.policies import Policies
from edge.orders import PurgeOrder
from edge.purge_reach import reached
from edge.purges import PurgeKind
from tests.support.rules import compiled
from tests.support.table import table

POLICIES = compiled("""
    hosts: {h: [www.h]}
    rules:
    - {name: all, set: {query: {drop: 'utm_*'}}}
    - {name: none, match: {host: h, path: /n/*}, set: {query: none}}
""")


@pytest.mark.parametrize(
    "case",
    table("""
    kind    value                   also
    url     http://h/a?utm_x=1&b=2  http://h/a?b=2
    url     http://WWW.h/a          http://h/a
    url     http://h/n/a?b          http://h/n/a
    url     /n/a?b=1&utm_x=2        /n/a /n/a?b=1
    url     /a?b=1                  -
    prefix  http://www.h/n/         http://h/n/
    prefix  /n/                     -
    prefix  http://www              -
    tag     www.h                   -
"""),
    ids=str,
)
def test_a_purge_reaches_what_it_names(case):
    kind, value = PurgeKind[case["kind"].upper()], case["value"].encode()
    order = PurgeOrder(kind=kind, values=(value,))
    also = [each.encode() for each in case["also"].split()]
    assert reached(order, POLICIES).values == (value, *also)


def test_without_such_rules_an_order_is_what_it_says():
    order = PurgeOrder(kind=PurgeKind.URL, values=(b"/a?b=1",))
    assert reached(order, Policies.bare()) is order
    assert reached(order, compiled("rules: [{name: a, set: {ttl: 1s}}]")) is order

"""What is said to caches like this one counts before what is said to all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_policies.message import ResponseHead
from cache_policies.targeted import response_directives
from tests.support.table import fields, table


@pytest.mark.parametrize(
    "case",
    table("""
    cdn-cache-control                targeted  max-age     no-store  source
    max-age=5                        yes       5           no        9213 §2.2
    max-age=5 | no-store             yes       5           yes       9110 §5.3
    max-age=5;x=1, no-store;y        yes       5           yes       9213 §2.1 parameters
    max-age=5, max-age=7             yes       7           no        8941 §3.2 the last of a key
    max-age="5"                      yes       0           no        9213 §2.1 a string
    max-age=five                     yes       0           no        9213 §2.1
    max-age=5.5                      yes       0           no        9213 §2.1
    max-age=-5                       yes       0           no        9111 §1.2.2
    max-age=99999999999              yes       2147483648  no        9111 §1.2.2 saturates
    no-store=?0, max-age=5           yes       5           no        8941 §3.3.6
    private=("a" "b"), a, max-age=5  yes       5           no        an inner list
    -                                no        60          yes       9213 §2.1 empty
    max-age=5,                       no        60          yes       9213 §2.1 malformed
    max-age =5                       no        60          yes       9213 §2.1 malformed
    max-age= 5                       no        60          yes       9213 §2.1 malformed
    max-age=5, &&&                   no        60          yes       9213 §2.1 malformed
    Max-Age=5                        no        60          yes       8941 §3.1.2 lower-case
    max-age=5 no-store               no        60          yes       9213 §2.1 malformed
    """),
    ids=str,
)
def test_cdn_cache_control_comes_first(case):
    lines = "cache-control: max-age=60, no-store | surrogate-control: x" + "".join(
        f" | cdn-cache-control: {line}" for line in case["cdn-cache-control"].split("|")
    )
    directives = response_directives(ResponseHead(200, fields(lines)))
    assert directives.targeted == (case["targeted"] == "yes")
    assert directives.seconds(b"max-age") == int(case["max-age"])
    assert (b"no-store" in directives) == (case["no-store"] == "yes")


@pytest.mark.parametrize(
    "case",
    table("""
    surrogate-control                         targeted  max-age  no-store  swr  source
    max-age=5                                 yes       5        no        -    Edge Arch. §2.2
    MAX-AGE=5, foo                            yes       5        no        -    any case
    no-store                                  yes       -        yes       -    Edge Arch. §2.2
    no-store-remote                           yes       -        yes       -    an edge is remote
    max-age=5+30                              yes       5        no        30   stale for so long
    max-age=5+x                               yes       0        no        -    junk is stale
    max-age=5+                                yes       0        no        -    junk is stale
    max-age= 5                                yes       0        no        -    junk is stale
    max-age                                   yes       0        no        -    junk is stale
    max-age=5, max-age=7+30                   yes       5        no        30   the stricter
    max-age=5;amaro-edge                      yes       5        no        -    for this cache
    max-age=5;amaro-edge, max-age=9           yes       5        no        -    before all
    max-age=9 | max-age=5 ; a;amaro-edge      yes       5        no        -    several devices
    max-age=5;other                           no        60       no        -    for another cache
    max-age=5;other, no-store                 yes       -        yes       -    the rest counts
    content="ESI/1.0"                         no        60       no        -    no caching
    content="max-age=3, no-store", max-age=5  yes       5        no        -    quoted
    """),
    ids=str,
)
def test_surrogate_control_comes_second(case):
    lines = "cache-control: max-age=60" + "".join(
        f" | surrogate-control: {line}" for line in case["surrogate-control"].split("|")
    )
    directives = response_directives(ResponseHead(200, fields(lines)))
    assert directives.targeted == (case["targeted"] == "yes")
    assert directives.seconds(b"max-age") == (int(case["max-age"]) if case["max-age"] else None)
    assert (b"no-store" in directives) == (case["no-store"] == "yes")
    swr_s = directives.seconds(b"stale-while-revalidate")
    assert swr_s == (int(case["swr"]) if case["swr"] else None)


@pytest.mark.parametrize("argument", ['"a, b"', "a", '("a")'])
def test_a_targeted_directive_about_some_fields_only(argument):
    head = ResponseHead(200, fields(f"cdn-cache-control: private={argument}, max-age=5"))
    directives = response_directives(head)
    assert directives.wholly(b"private") == argument.startswith("(")


def test_policy_may_ignore_a_directive():
    head = ResponseHead(200, fields("cache-control: max-age=5, no-store"))
    assert b"no-store" not in response_directives(head, frozenset({b"no-store"}))


@given(st.text(max_size=40).map(lambda text: text.encode("latin-1", "ignore")))
def test_junk_never_raises(line):
    head = ResponseHead(200, ((b"cdn-cache-control", line), (b"surrogate-control", line)))
    response_directives(head).seconds(b"max-age")

"""What is packed is what is unpacked, whatever its fields."""

from hypothesis import given
from hypothesis import strategies as st

from cache_policies.stored import Stored
from edge.entry import Entry

NAMES = st.sampled_from(
    b"age content-length content-type date etag last-modified server surrogate-key via vary".split()
)
VALUES = st.binary(max_size=20).filter(lambda value: not set(value) & set(b"\r\n\0")) | st.just(
    b"4"
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=12).map(tuple)
SECONDS = st.floats(0, 1e9)


@given(
    st.builds(
        Stored,
        status=st.sampled_from([200, 204, 404]),
        fields=FIELDS,
        date_wall=SECONDS,
        age_s=SECONDS,
        response_wall=SECONDS,
        response_mono=SECONDS,
        response_delay_s=SECONDS,
        lifetime_s=SECONDS,
        no_cache=st.booleans(),
        swr_s=SECONDS,
        etag=st.none() | VALUES,
        last_modified=st.none() | VALUES,
        vary=st.lists(NAMES, max_size=2).map(tuple),
        variant=VALUES,
        length=st.none() | st.integers(0, 10),
        tags=st.lists(VALUES, max_size=2).map(tuple),
        purge_sequence=st.integers(0, 3),
        stripped=st.frozensets(NAMES, max_size=2),
    ),
    st.booleans(),
)
def test_packing_loses_nothing(stored, warm):
    entry = Entry(b"http://a/x", stored, [b"body"])
    if warm:
        entry.hit_head(1.0)
    assert entry.stored == stored
    assert (entry.vary, entry.variant, entry.tags) == (stored.vary, stored.variant, stored.tags)


def test_alike_responses_share_their_traits():
    known = {}
    one, other = (Entry(b"http://a/%d" % number, made(number), [b"body"]) for number in range(2))
    for entry in (one, other):
        entry.share(known)
    assert one._traits is other._traits
    assert len(known) == 1


def made(number):
    return Stored(
        status=200,
        fields=((b"etag", b'"%d"' % number),),
        date_wall=1.0,
        age_s=0.0,
        response_wall=2.0,
        response_mono=3.0,
        response_delay_s=0.1 * number,
        lifetime_s=60.0 + number,
        etag=b'"%d"' % number,
    )

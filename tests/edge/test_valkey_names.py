"""Names of values: one place for all that must lie together, and none for what must not."""

from hypothesis import given
from hypothesis import strategies as st

from cache_policies.valkey_buckets import BUCKETS, hash_tag
from edge.valkey_names import books_of, name_of

LOG = b"log-id-8"
keys = st.tuples(
    st.binary(max_size=20), st.none() | st.binary(max_size=5), st.none() | st.integers(0, 2**17)
)


@given(keys, keys)
def test_every_name_is_its_own(
    one: tuple[bytes, bytes | None, int | None], other: tuple[bytes, bytes | None, int | None]
) -> None:
    plain = b"\n" not in one[0] + other[0]  # as no key has any
    assert (name_of(LOG, *one) == name_of(LOG, *other)) is (one == other) or not plain


@given(st.binary(max_size=20))
def test_a_name_tells_its_bucket_and_its_schema(key: bytes) -> None:
    name = name_of(LOG, key)
    assert 0 <= name.bucket < BUCKETS
    assert name.text.startswith(f"amaro:1:{hash_tag(name.bucket)}:")
    assert len({*books_of(name.bucket), name.text}) == 4
    assert all(hash_tag(name.bucket) in each for each in books_of(name.bucket))


def test_who_has_another_log_finds_nothing() -> None:
    assert name_of(LOG, b"k") != name_of(b"other-id", b"k")


def test_buckets_are_used_alike() -> None:
    counts = [0] * BUCKETS
    for number in range(6_400):
        counts[name_of(LOG, b"http://h/%d" % number).bucket] += 1
    assert min(counts) > 50
    assert max(counts) < 150

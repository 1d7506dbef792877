"""Where records lie in Valkey: each in one of its buckets, by what it is looked up with."""

from hashlib import blake2b
from typing import NamedTuple

from cache_policies.valkey_buckets import BUCKETS, PREFIX, hash_tag


class Name(NamedTuple):
    """The key of a value, and the bucket that it counts in."""

    bucket: int
    text: str


class Books(NamedTuple):
    """The keys in which a bucket keeps account of its values."""

    uses: str  # sorted set: names by the time of their last use
    ends: str  # sorted set: names by the time when they expire
    sizes: str  # hash: bytes by name, and their sum under ""


def name_of(
    log_id: bytes, key: bytes, variant: bytes | None = None, slice_no: int | None = None
) -> Name:
    """Where a key is looked up, one variant of it, or a slice of that.

    Who counts purges by another log finds nothing here: it could not tell what was purged.
    """
    salt = b"" if slice_no is None else b"%d" % slice_no
    digest = blake2b(key, digest_size=16, salt=salt, person=log_id)
    if variant is not None:
        digest.update(b"\n" + variant)
    name = digest.hexdigest()
    bucket = int(name[:2], 16) % BUCKETS
    return Name(bucket, f"{PREFIX}:{hash_tag(bucket)}:{name}")


def books_of(bucket: int) -> Books:
    """The accounts of a bucket."""
    start = f"{PREFIX}:{hash_tag(bucket)}"
    return Books(f"{start}:uses", f"{start}:ends", f"{start}:sizes")

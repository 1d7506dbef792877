"""Where records lie in Valkey: in 64 buckets, each of them in one slot of a cluster."""

from hashlib import blake2b
from typing import Final, NamedTuple

PREFIX: Final = "amaro:1"  # the schema's version: another one shares nothing with it
BUCKETS: Final = 64


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


def hash_tag(bucket: int) -> str:
    """What places all keys of a bucket in one slot."""
    return f"{{b{bucket:02}}}"


def books_of(bucket: int) -> Books:
    """The accounts of a bucket."""
    start = f"{PREFIX}:{hash_tag(bucket)}"
    return Books(f"{start}:uses", f"{start}:ends", f"{start}:sizes")

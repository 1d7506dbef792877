"""What a region has in Valkey lies in 64 buckets, each of them in one slot of a cluster."""

from typing import Final

PREFIX: Final = "amaro:1"  # the schema's version: another one shares nothing with it
BUCKETS: Final = 64
HOME: Final = 0
"""The bucket of all that is no record: who is there, signals, purges' receipts, progress."""


def hash_tag(bucket: int) -> str:
    """What places all keys of a bucket in one slot."""
    return f"{{b{bucket:02}}}"


def home_key(name: str) -> str:
    """The key of something in the bucket `HOME`."""
    return f"{PREFIX}:{hash_tag(HOME)}:{name}"

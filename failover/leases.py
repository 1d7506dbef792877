"""Opens the store that a lease's URL names."""

from __future__ import annotations

from urllib.parse import urlsplit

from failover.lease import LeaseStore, LeaseStoreError
from failover.lease_redis import RedisLease
from failover.lease_sql import SqlLease


def open_lease(url: str) -> LeaseStore:
    """Return the store; nothing is asked yet. Raises LeaseStoreError for a URL that is none."""
    match urlsplit(url).scheme.partition("+")[0]:
        case "redis" | "rediss" | "unix":
            return RedisLease(url)
        case "sqlite" | "postgresql":
            return SqlLease(url)
        case scheme:
            raise LeaseStoreError(
                f"a lease is in redis://, sqlite:// or postgresql://, not {scheme}"
            )

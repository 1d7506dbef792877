"""What an origin is told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from origin.provider_file import ProviderSettings

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What an upload may take. A client that reaches one is told which, and its value."""

    size_max_bytes: int = 4 * GIB
    uploads_per_client_max: int = 8  # unfinished ones that moved within active_s
    disk_free_min_bytes: int = 1 * GIB  # stays free, with all active uploads at full length
    active_s: float = 60.0
    expire_s: float = 86_400.0  # an upload that nobody continued for this long is removed
    idle_s: float = 30.0  # between two pieces of one request's body
    metadata_max_bytes: int = 4_096
    checkpoint_bytes: int = 32 * MIB  # at most this much of a running request is not yet durable,
    checkpoint_s: float = 15.0  # and none of it for longer than this


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginSettings:
    """Where an origin keeps things and whom it talks to. URLs that are None are local or off."""

    data: Path
    catalog_url: str | None = None  # SQLAlchemy; default: SQLite in `data`
    store_url: str | None = None  # obstore; default: a directory in `data`
    jobs_url: str | None = None
    redis_url: str | None = None
    edge_admin_urls: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    access_keys: Path | None = None  # the file of a ring: what is to be watched is signed by it
    access_ring: str = field(default="", repr=False)  # a ring itself, where there is no file
    default_region: str = "north"
    trusted_proxies: tuple[str, ...] = ()  # addresses whose X-Forwarded-For is believed
    providers: tuple[ProviderSettings, ...] = ()  # CDNs in front of the edges
    limits: UploadLimits = UploadLimits()

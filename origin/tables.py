"""The catalog's tables. A change here needs a migration; a test compares the two."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Root of the tables. Instants are wall-clock seconds since 1970."""


class Asset(Base):
    """One uploaded video and what has become of it."""

    __tablename__ = "assets"
    asset_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    region: Mapped[str] = mapped_column(String(32))
    title: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(12))
    stage: Mapped[str] = mapped_column(String(64))
    error: Mapped[str | None] = mapped_column(Text)
    duration_s: Mapped[float | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    poster: Mapped[str | None] = mapped_column(String(200))
    created: Mapped[float]
    uploaded: Mapped[float | None]
    first_playable: Mapped[float | None]
    complete: Mapped[float | None]

    __table_args__ = (Index("assets_by_feed", "region", "first_playable", "asset_id"),)


class Rendition(Base):
    """One rendition that an asset's multivariant playlist names."""

    __tablename__ = "renditions"
    asset_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    bandwidth: Mapped[int] = mapped_column(BigInteger)
    average_bandwidth: Mapped[int] = mapped_column(BigInteger)
    codecs: Mapped[str] = mapped_column(String(200))


class Resource(Base):
    """A mutable public name of an asset and the immutable object that it stands for now."""

    __tablename__ = "resources"
    asset_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    object_key: Mapped[str] = mapped_column(String(300))
    content_type: Mapped[str] = mapped_column(String(100))
    etag: Mapped[str] = mapped_column(String(64))  # opaque part, without quotes
    last_modified: Mapped[float]
    may_grow: Mapped[bool]
    encodings: Mapped[str] = mapped_column(String(32))  # stored variants: "br gzip" or ""


class Upload(Base):
    """A tus upload. Its secret URL is not kept: asset_id is derived from it by a hash."""

    __tablename__ = "uploads"
    asset_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    client: Mapped[str] = mapped_column(String(64))
    length: Mapped[int] = mapped_column(BigInteger)
    offset: Mapped[int] = mapped_column(BigInteger)  # durable on disk
    boot_id: Mapped[str] = mapped_column(String(64))  # kernel whose page cache may hold more, or ""
    upload_metadata: Mapped[str] = mapped_column(Text)
    created: Mapped[float]
    touched: Mapped[float]
    expires: Mapped[float]
    completed: Mapped[float | None]
    submitted: Mapped[float | None]

    __table_args__ = (
        Index("uploads_by_client", "client", "touched"),
        Index("uploads_by_expiry", "expires"),
        Index("uploads_to_submit", "submitted", "completed"),
    )


class FeedChange(Base):
    """When a region's feed last changed."""

    __tablename__ = "feed_changes"
    region: Mapped[str] = mapped_column(String(32), primary_key=True)
    changed: Mapped[float]


class LoggedPurge(Base):
    """A purge that was requested, in the order of its transaction."""

    __tablename__ = "purge_log"
    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    kind: Mapped[str] = mapped_column(String(8))  # a word of `origin.purge_log.Kind`
    value: Mapped[str] = mapped_column(Text)
    soft: Mapped[bool]
    requested: Mapped[float]

    __table_args__ = (
        Index("purge_log_by_age", "requested"),
        {"sqlite_autoincrement": True},  # a number that was forgotten is never given again
    )


class PurgeLogName(Base):
    """The one row that tells this log from that of another catalog."""

    __tablename__ = "purge_log_name"
    name: Mapped[str] = mapped_column(String(16), primary_key=True)


class PurgePlace(Base):
    """Up to which number of the log somebody, an edge for instance, has carried it out."""

    __tablename__ = "purge_places"
    address: Mapped[str] = mapped_column(String(200), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)

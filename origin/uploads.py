"""tus 1.0 as decisions: what a request may do to an upload, and why not."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final
from unicodedata import category

from origin.names import REGION

if TYPE_CHECKING:
    from origin.settings import UploadLimits

TUS_VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,termination,checksum,expiration"
BODY_TYPE: Final = "application/offset+octet-stream"
CHECKSUMS: Final = {"sha1": 20, "sha256": 32, "md5": 16}  # algorithm: digest length in bytes
TITLE_MAX: Final = 200
CHECKSUM_MISMATCH: Final = 460  # tus' own status

_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_KEY: Final = re.compile(r"[!-+\x2d-~]{1,64}")  # ASCII without space and comma


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that is not carried out: status, a sentence, and the limit that it met."""

    status: int
    sentence: str
    limit: str | None = None
    value: float | int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the client and the disk are burdened with already."""

    client_uploads: int
    disk_free_bytes: int
    promised_bytes: int  # that active uploads may still send


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """An upload that may begin."""

    length: int
    title: str
    region: str
    metadata: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksum:
    """What the bytes of one request must hash to."""

    algorithm: str
    digest: bytes

    def matches(self, digest: bytes) -> bool:
        """Say whether the bytes that arrived are the ones that were meant."""
        return digest == self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """A body that may be written at `offset`."""

    offset: int
    length_max: int  # bytes that the upload still lacks
    checksum: Checksum | None


def client_key(address: str) -> str:
    """Return what the limits count a client by: its address, in IPv6 its /64 network."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address[:64]
    return str(ip) if ip.version == 4 else str(ip_network((ip, 64), strict=False))


def judge_version(headers: Mapping[str, str]) -> Refusal | None:
    """Refuse any protocol version but ours."""
    if headers.get("tus-resumable") == TUS_VERSION:
        return None
    sentence = f"This server speaks tus {TUS_VERSION}: send Tus-Resumable: {TUS_VERSION}."
    return Refusal(status=412, sentence=sentence, headers={"tus-version": TUS_VERSION})


def judge_creation(
    headers: Mapping[str, str], usage: Usage, limits: UploadLimits, default_region: str
) -> Creation | Refusal:
    """Say whether an upload may begin."""
    if "upload-defer-length" in headers:
        return Refusal(status=400, sentence="Upload-Defer-Length is not supported.")
    length = _number(headers.get("upload-length"))
    if length is None:
        return Refusal(status=400, sentence="Upload-Length says how many bytes will come.")
    raw = headers.get("upload-metadata", "")
    if len(raw) > limits.metadata_max_bytes:
        sentence = f"Upload-Metadata may have {limits.metadata_max_bytes} bytes at most."
        return _limited(400, sentence, "metadata_max_bytes", limits.metadata_max_bytes)
    metadata = parse_metadata(raw)
    if metadata is None:
        return Refusal(status=400, sentence="Upload-Metadata is malformed (tus 1.0, Creation).")
    region = metadata.get("region") or default_region
    if not REGION.fullmatch(region):
        return Refusal(status=400, sentence="A region is 1 to 32 characters of a-z, 0-9 and '-'.")
    title = readable(metadata.get("title", "")) or readable(metadata.get("filename", ""))
    refusal = _judge_room(length, usage, limits)
    if refusal is not None:
        return refusal
    return Creation(
        length=length, title=title[:TITLE_MAX] or "Untitled", region=region, metadata=raw
    )


def judge_append(
    headers: Mapping[str, str], *, offset: int, length: int, creating: bool = False
) -> Append | Refusal:
    """Say whether a body may be appended to an upload that has `offset` of `length` bytes."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != BODY_TYPE:
        return Refusal(status=415, sentence=f"The body's Content-Type must be {BODY_TYPE}.")
    claimed = 0 if creating else _number(headers.get("upload-offset"))
    if claimed is None:
        return Refusal(status=400, sentence="Upload-Offset says where the body belongs.")
    if claimed != offset:
        sentence = (
            f"The upload is at offset {offset}, not {claimed}: ask with HEAD and go on there."
        )
        return Refusal(status=409, sentence=sentence, headers={"upload-offset": str(offset)})
    size = _number(headers.get("content-length"))
    if size is not None and size > length - offset:
        sentence = f"The body has {size} bytes, but the upload lacks only {length - offset}."
        return _limited(413, sentence, "upload_length", length)
    checksum = parse_checksum(headers.get("upload-checksum"))
    if isinstance(checksum, Refusal):
        return checksum
    return Append(offset=offset, length_max=length - offset, checksum=checksum)


def durable_offset(*, size: int, recorded: int, same_kernel: bool) -> int:
    """Return how much of an interrupted upload's file to keep.

    What was written is in the kernel's hands, so it survives any death of ours; after a restart
    of the kernel itself only what had been synchronised, and recorded after that, is sure.
    """
    return size if same_kernel else min(size, recorded)


def parse_metadata(text: str) -> dict[str, str] | None:
    """Return {key: value} of Upload-Metadata, None when it is malformed."""
    pairs: dict[str, str] = {}
    for item in text.split(",") if text.strip() else ():
        key, _, encoded = item.strip().partition(" ")
        if not _KEY.fullmatch(key) or key in pairs:
            return None
        try:
            value = base64.b64decode(encoded.strip(), validate=True)
        except ValueError:  # no Base64, or not even ASCII
            return None
        pairs[key] = value.decode("utf-8", "replace")
    return pairs


def readable(text: str) -> str:
    """Return a text in one line, without control characters; PostgreSQL keeps no NUL at all."""
    return " ".join("".join(" " if category(c) == "Cc" else c for c in text).split())


def parse_checksum(text: str | None) -> Checksum | Refusal | None:
    """Return what Upload-Checksum demands, None when there is none."""
    if text is None:
        return None
    algorithm, _, encoded = text.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        sentence = f"Upload-Checksum: {', '.join(CHECKSUMS)} are supported."
        return Refusal(status=400, sentence=sentence)
    try:
        digest = base64.b64decode(encoded, validate=True)
    except ValueError:  # no Base64, or not even ASCII
        digest = b""
    if len(digest) != CHECKSUMS[algorithm]:
        return Refusal(status=400, sentence=f"Upload-Checksum is no {algorithm} in Base64.")
    return Checksum(algorithm=algorithm, digest=digest)


def new_hash(checksum: Checksum) -> hashlib._Hash:
    """Return a running hash of the algorithm that was asked for."""
    return hashlib.new(checksum.algorithm, usedforsecurity=False)


def out_of_space(limits: UploadLimits) -> Refusal:
    """Return the refusal for a disk that must not get any fuller."""
    free = limits.disk_free_min_bytes
    sentence = f"The server's disk is nearly full ({free} bytes must stay free): try again later."
    return _limited(413, sentence, "disk_free_min_bytes", free, {"retry-after": "600"})


def _judge_room(length: int, usage: Usage, limits: UploadLimits) -> Refusal | None:
    if length > limits.size_max_bytes:
        most = limits.size_max_bytes
        sentence = f"The file has {length} bytes; an upload may have {most} at most."
        return _limited(413, sentence, "size_max_bytes", most)
    if usage.client_uploads >= limits.uploads_per_client_max:
        most = limits.uploads_per_client_max
        sentence = f"You have {usage.client_uploads} uploads running; {most} at a time are allowed."
        retry = {"retry-after": str(int(limits.active_s))}
        return _limited(429, sentence, "uploads_per_client_max", most, retry)
    if usage.disk_free_bytes - usage.promised_bytes - length < limits.disk_free_min_bytes:
        return out_of_space(limits)
    return None


def _limited(
    status: int, sentence: str, limit: str, value: float, headers: Mapping[str, str] | None = None
) -> Refusal:
    return Refusal(
        status=status, sentence=sentence, limit=limit, value=value, headers=headers or {}
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None

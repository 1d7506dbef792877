"""tus decisions, as tables."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.settings import UploadLimits
from origin.uploads import (
    BODY_TYPE,
    CHECKSUMS,
    Append,
    Checksum,
    Creation,
    Refusal,
    Usage,
    client_key,
    durable_offset,
    judge_append,
    judge_creation,
    judge_version,
    new_hash,
    parse_checksum,
    parse_metadata,
)

LIMITS = UploadLimits(size_max_bytes=1_000, uploads_per_client_max=2, disk_free_min_bytes=500)
IDLE = Usage(client_uploads=0, disk_free_bytes=10_000, promised_bytes=0)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"tus-resumable": "1.0.0"}, None), ({}, 412), ({"tus-resumable": "2"}, 412)],
)
def test_version(headers: dict[str, str], status: int | None) -> None:
    refusal = judge_version(headers)
    assert (None if refusal is None else refusal.status) == status


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("x" * 99, "x" * 64),
    ],
)
def test_client_key(address: str, key: str) -> None:
    assert client_key(address) == key


@pytest.mark.parametrize(
    ("headers", "usage", "status", "limit"),
    [
        ({}, IDLE, 400, None),
        ({"upload-length": "-1"}, IDLE, 400, None),
        ({"upload-length": "1e3"}, IDLE, 400, None),
        ({"upload-defer-length": "1"}, IDLE, 400, None),
        ({"upload-length": "1001"}, IDLE, 413, "size_max_bytes"),
        ({"upload-length": "9" * 18}, IDLE, 413, "size_max_bytes"),
        ({"upload-length": "9" * 19}, IDLE, 400, None),
        ({"upload-length": "5", "upload-metadata": "title not-base64!"}, IDLE, 400, None),
        ({"upload-length": "5", "upload-metadata": "x" * 5_000}, IDLE, 400, "metadata_max_bytes"),
        ({"upload-length": "5", "upload-metadata": f"region {b64('Nord!')}"}, IDLE, 400, None),
        (
            {"upload-length": "5"},
            Usage(client_uploads=2, disk_free_bytes=10_000, promised_bytes=0),
            429,
            "uploads_per_client_max",
        ),
        (
            {"upload-length": "5"},
            Usage(client_uploads=0, disk_free_bytes=600, promised_bytes=96),
            413,
            "disk_free_min_bytes",
        ),
    ],
    ids=str,
)
def test_a_creation_that_is_refused(
    headers: dict[str, str], usage: Usage, status: int, limit: str | None
) -> None:
    refusal = judge_creation(headers, usage, LIMITS, "north")
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.limit) == (status, limit)
    if limit is not None:
        assert refusal.value == getattr(LIMITS, limit)
        assert str(refusal.value) in refusal.sentence


@pytest.mark.parametrize(
    ("metadata", "title", "region"),
    [
        ("", "Untitled", "north"),
        (f"filename {b64('a.mp4')}", "a.mp4", "north"),
        (f"filename {b64('a.mp4')},title {b64(' Tết   2026 ')}", "Tết 2026", "north"),
        (f"region {b64('south')}, is_draft", "Untitled", "south"),
        (f"title {b64('x' * 500)}", "x" * 200, "north"),
        (f"title {b64('a' + chr(0) + 'b' + chr(27) + '[2J' + chr(10))}", "a b [2J", "north"),
        (f"title {b64(' ' + chr(0))},filename {b64('a.mp4')}", "a.mp4", "north"),
        (f"title {b64(chr(0x1F468) + chr(0x200D) + chr(0x1F467))}", "👨‍👧", "north"),
    ],
)
def test_a_creation(metadata: str, title: str, region: str) -> None:
    headers = {"upload-length": "1000", "upload-metadata": metadata}
    made = judge_creation(headers, IDLE, LIMITS, "north")
    assert made == Creation(length=1000, title=title, region=region, metadata=metadata)


APPEND = {"content-type": BODY_TYPE, "upload-offset": "40", "content-length": "60"}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, None),
        ({"content-length": None}, None),
        ({"content-length": "0"}, None),
        ({"content-type": "video/mp4"}, 415),
        ({"content-type": None}, 415),
        ({"upload-offset": None}, 400),
        ({"upload-offset": "x"}, 400),
        ({"upload-offset": "39"}, 409),
        ({"upload-offset": "41"}, 409),
        ({"content-length": "61"}, 413),
        ({"upload-checksum": "crc32 AAAA"}, 400),
        ({"upload-checksum": "sha1 AAAA"}, 400),
        ({"upload-checksum": "sha1 !!!!"}, 400),
        ({"upload-checksum": "sha1 é"}, 400),
        ({"upload-checksum": f"md5 {base64.b64encode(bytes(16)).decode()}"}, None),
    ],
    ids=str,
)
def test_append(change: dict[str, str | None], status: int | None) -> None:
    merged = {**APPEND, **change}
    headers = {name: value for name, value in merged.items() if value is not None}
    judged = judge_append(headers, offset=40, length=100)
    if status is None:
        assert isinstance(judged, Append)
        assert (judged.offset, judged.length_max) == (40, 60)
    else:
        assert isinstance(judged, Refusal)
        assert judged.status == status


def test_creation_with_upload_begins_at_zero() -> None:
    judged = judge_append({"content-type": BODY_TYPE}, offset=0, length=5, creating=True)
    assert judged == Append(offset=0, length_max=5, checksum=None)


@pytest.mark.parametrize(
    ("size", "recorded", "same_kernel", "offset"),
    [
        (100, 100, True, 100),
        (100, 40, True, 100),
        (100, 40, False, 40),
        (100, 0, False, 0),
        (30, 40, False, 30),
        (30, 40, True, 30),
    ],
)
def test_durable_offset(size: int, recorded: int, same_kernel: bool, offset: int) -> None:
    assert durable_offset(size=size, recorded=recorded, same_kernel=same_kernel) == offset


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.booleans())
def test_an_offset_is_never_beyond_the_bytes(size: int, recorded: int, same_kernel: bool) -> None:
    offset = durable_offset(size=size, recorded=recorded, same_kernel=same_kernel)
    assert offset <= size
    if recorded <= size:
        assert offset >= recorded  # what was acknowledged stays


KEYS = st.text("abcdefghijklmnopqrstuvwxyz_-", min_size=1, max_size=20)


@given(st.dictionaries(KEYS, st.text(max_size=30), max_size=5))
def test_metadata_round_trip(pairs: dict[str, str]) -> None:
    text = ",".join(f"{key} {b64(value)}" for key, value in pairs.items())
    assert parse_metadata(text) == pairs


@given(st.text(max_size=60))
def test_any_metadata_has_an_answer(text: str) -> None:
    parsed = parse_metadata(text)
    assert parsed is None or all(parsed)


@pytest.mark.parametrize("text", ["a b c", "a YQ==,a YQ==", " ,", "é YQ==", "a é"])
def test_metadata_that_is_refused(text: str) -> None:
    assert parse_metadata(text) is None


@given(st.sampled_from(sorted(CHECKSUMS)), st.binary(max_size=100))
def test_checksums_match_their_bytes_only(algorithm: str, body: bytes) -> None:
    digest = hashlib.new(algorithm, body).digest()
    wanted = parse_checksum(f"{algorithm} {base64.b64encode(digest).decode()}")
    assert isinstance(wanted, Checksum)
    running = new_hash(wanted)
    running.update(body)
    assert wanted.matches(running.digest())
    running.update(b"more")
    assert not wanted.matches(running.digest())

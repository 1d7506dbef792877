"""TLS: the certificate that the name asks for, exchanged while it serves; bodies in windows."""

import asyncio
import shutil
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from edge.renewal import Renewal
from edge.settings import CertificatePair
from edge.tls import CertificateError, Pem, read_pairs
from edge.windows import WINDOW_BYTES
from tests.support.edges import (
    PATIENCE_S,
    Asked,
    Client,
    Edge,
    edge_and_origin,
    response,
    until,
)
from tests.support.tls import EDGE, NAMELESS, RENEWED, WILD, client_context

FRESH = "Cache-Control: max-age=600"
BIG = bytes(range(256)) * 4096 * 4 + b"the rest"  # five slices


async def script(asked: Asked, writer: asyncio.StreamWriter) -> None:
    match asked.target:
        case b"/big":
            writer.write(response(BIG, FRESH))
        case b"/pass":
            writer.write(response(BIG, "Cache-Control: no-store"))
        case b"/echo":
            writer.write(response(asked.body, "Cache-Control: no-store"))
        case _:
            writer.write(response(b"from memory", FRESH))


async def certificate(edge: Edge, name: str | None, trusted: CertificatePair) -> str:
    """The subject that a player gets who asks for `name`."""
    context = client_context(trusted=trusted)
    context.check_hostname = False
    _, writer = await asyncio.open_connection(
        "127.0.0.1", edge.port, ssl=context, server_hostname=name or ""
    )
    subject = writer.get_extra_info("peercert")["subject"]
    writer.close()
    await writer.wait_closed()
    return subject[0][0][1]


async def test_hits_and_misses_over_tls() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, origin):
        client = await edge.client()
        assert "fwd=uri-miss" in (await client.get("/")).says
        got = await client.get("/")
        assert ("hit" in got.says, got.body) == (True, b"from memory")
        assert origin.asked[0].get("x-forwarded-proto") == b"https"
        for target in ("/big", "/big", "/pass"):
            assert (await client.get(target)).body == BIG
        part = await client.get("/big", "Range: bytes=1048570-2097160")
        assert (part.status, part.body) == (206, BIG[1_048_570:2_097_161])
        client.send(b"POST /echo HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 300000\r\n\r\n")
        client.send(BIG[:300_000])
        assert (await client.read()).body == BIG[:300_000]


async def test_an_answer_that_ends_its_connection_comes_whole() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        for target in ("/big", "/big", "/pass"):
            client = await edge.client()
            got = await client.get(target, "Connection: close")
            assert (got.body == BIG, got.get("connection")) == (True, b"close")
            assert await client.is_closed()


async def test_a_player_that_does_not_read_costs_references() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        await edge.get("/big")
        client = await edge.client()
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.send(b"GET /big HTTP/1.1\r\nHost: edge.test\r\n\r\n" * 5)
        await until(lambda: edge.worker.counters.hits >= 1)
        (protocol,) = edge.server.server_state.connections
        waiting = protocol.transport._waiting
        assert waiting
        assert 0 < protocol.transport._transport.get_write_buffer_size() < WINDOW_BYTES + 1024
        bodies = {
            id(each) for _, entry in edge.worker.memory.index.items() for each in entry.slices
        }
        held = [view.obj if isinstance(view, memoryview) else view for view in waiting]
        assert {id(each) for each in held if len(each) > WINDOW_BYTES} <= bodies
        assert edge.worker.counters.hits < 5  # the others wait for this answer
        client.reader._transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(5):
            assert (await client.read()).body == BIG


def refusals(edge: Edge) -> dict[str, float]:
    """How many handshakes came to nothing, by reason."""
    told = edge.worker.counters.snapshot()
    return {name: count for name, count in told.items() if "refused_tls" in name and count}


async def connected(edge: Edge) -> Client:
    """A client whose handshake was in time: the first one may not be where a machine is busy."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
                client = await edge.client()
                await client.get("/")
                return client


async def test_a_handshake_has_its_time() -> None:
    async with edge_and_origin(script, tls=[EDGE], handshake_s=0.2) as (edge, _):
        client = await connected(edge)  # is not one of them any more
        before = refusals(edge).get("refused_tls_handshake_slow", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(b"\x16\x03\x01")
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert refusals(edge) == {"refused_tls_handshake_slow": before + 1}
        assert (await client.get("/")).status == 200


async def test_the_oldest_of_too_many_handshakes_ends() -> None:
    async with edge_and_origin(script, tls=[EDGE], handshakes_max=3) as (edge, _):
        silent = [await asyncio.open_connection("127.0.0.1", edge.port) for _ in range(4)]
        with suppress(ConnectionError):
            assert await silent[0][0].read() == b""
        assert refusals(edge) == {"refused_tls_handshakes_max": 1}
        assert (await edge.get("/")).status == 200  # there is always room for the next one
        with suppress(ConnectionError):
            assert await silent[1][0].read() == b""
        for _, writer in silent:
            writer.close()


async def test_a_handshake_that_fails_is_counted() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n")
        with suppress(ConnectionError):
            assert not (await reader.read()).startswith(b"HTTP")
        writer.close()
        assert refusals(edge) == {"refused_tls_handshake": 1}


async def test_the_name_chooses_the_certificate() -> None:
    async with edge_and_origin(script, tls=[EDGE, WILD, NAMELESS]) as (edge, _):
        for name, pair in {
            "edge.test": EDGE,
            "other.test": EDGE,
            None: EDGE,
            "wild.test": WILD,
            "www.WILD.test": WILD,
            "a.b.wild.test": EDGE,
        }.items():
            wanted = Path(pair.certificate).stem
            assert await certificate(edge, name, pair) == wanted, name


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions(version: ssl.TLSVersion) -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        assert edge.tls is not None
        edge.tls.minimum_version = edge.tls.maximum_version = version
        client = await edge.client()
        assert (await client.get("/")).status == 200
        said = client.writer.get_extra_info("ssl_object")
        assert said.version() == version.name.replace("_", ".")
        assert "GCM" in said.cipher()[0] or "CHACHA20" in said.cipher()[0]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_versions_and_no_tls_get_nothing() -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        assert edge.tls is not None
        edge.tls.minimum_version = edge.tls.maximum_version = ssl.TLSVersion.TLSv1_1
        edge.tls.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await edge.client()
        edge.tls = None
        client = await edge.client()
        client.send(b"GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n")
        assert await client.is_closed()


def copied(pair: CertificatePair, to: CertificatePair) -> None:
    for name, target in zip(pair, to, strict=True):
        shutil.copy(name, target)


def spoil(pair: CertificatePair) -> None:
    Path(pair.key).write_text("not a key")


def lose(pair: CertificatePair) -> None:
    Path(pair.key).unlink()


async def test_renewed_certificates_are_for_those_who_come_then(tmp_path: Path) -> None:
    async with edge_and_origin(script, tls=[EDGE]) as (edge, _):
        client = await edge.client()
        assert (await client.get("/")).status == 200
        pems = [list(pem) for pem in read_pairs([RENEWED])]
        await edge.worker.renew(pems)
        assert await certificate(edge, "edge.test", RENEWED) == "renewed"
        assert (await client.get("/")).status == 200
        with pytest.raises(CertificateError):
            await edge.worker.renew([["broken", pems[0][1], "no key"]])
        assert await certificate(edge, "edge.test", RENEWED) == "renewed"


async def test_files_are_looked_at(tmp_path: Path) -> None:
    files = CertificatePair(str(tmp_path / "a.pem"), str(tmp_path / "a.key"))
    copied(EDGE, files)
    published: list[tuple[Pem, ...]] = []

    async def publish(pems: tuple[Pem, ...]) -> None:
        published.append(pems)

    renewal = Renewal([files], publish)
    looking = asyncio.create_task(renewal.run(0.005))
    try:
        renewal.ask()
        await until(lambda: renewal.renewed == 1)
        spoil(files)
        await until(lambda: renewal.refused == 1)
        lose(files)
        await until(lambda: renewal.refused == 2)
        copied(RENEWED, files)
        await until(lambda: renewal.renewed >= 2)
        assert published[-1][0][1:] == read_pairs([RENEWED])[0][1:]
    finally:
        looking.cancel()


def mixed(tmp_path: Path) -> CertificatePair:
    return CertificatePair(EDGE.certificate, RENEWED.key)


def missing(tmp_path: Path) -> CertificatePair:
    return CertificatePair(str(tmp_path / "none.pem"), EDGE.key)


def swapped(tmp_path: Path) -> CertificatePair:
    return CertificatePair(EDGE.key, EDGE.certificate)


def junk(tmp_path: Path) -> CertificatePair:
    (tmp_path / "junk").write_bytes(b"\xff" * 100)
    return CertificatePair(str(tmp_path / "junk"), EDGE.key)


def huge(tmp_path: Path) -> CertificatePair:
    (tmp_path / "huge").write_text(Path(EDGE.certificate).read_text() * 200)
    return CertificatePair(str(tmp_path / "huge"), EDGE.key)


BROKEN = {
    mixed: "the key is not this certificate's",
    missing: "No such file",
    swapped: "no certificate",
    junk: "not PEM",
    huge: "more than",
}


@pytest.mark.parametrize("make", BROKEN, ids=lambda make: make.__name__)
def test_broken_pairs_are_named(make: Callable[[Path], CertificatePair], tmp_path: Path) -> None:
    pair = make(tmp_path)
    with pytest.raises(CertificateError, match=BROKEN[make]) as error:
        read_pairs([EDGE, pair])
    assert pair.certificate in str(error.value) or make is huge

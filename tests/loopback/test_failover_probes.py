"""Probes of servers that fail in every way that a provider has: each is told in a few words."""

import asyncio
import errno
import hashlib
import os
import resource
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import replace

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from failover import vantage
from failover.answer import Answer, LackError
from failover.evidence import Outcome, Round
from failover.journal import Journal
from failover.model import Dependency, Detection, Model, Probe, ProbeKind, Service, Target, Vantage
from failover.probe_errors import is_lack
from failover.probing import ask, ask_all, ask_target
from failover.vantage import Watch

OWN = Dependency(provider="own")
SILENT = "127.0.0.2 does not answer"
SEGMENT = b"a segment of a story"
NAME = hashlib.sha256(SEGMENT).hexdigest()[:32]
FILES = {
    "/main.m3u8": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n360p.m3u8\n",
    "/360p.m3u8": f'#EXTM3U\n#EXT-X-MAP:URI="{NAME}.mp4"\n#EXTINF:4,\n{NAME}.m4s\n'.encode(),
    f"/{NAME}.mp4": SEGMENT,
    f"/{NAME}.m4s": SEGMENT,
    "/known": b"known",
    "/torn.m3u8": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ntorn-360p.m3u8\n",
    "/torn-360p.m3u8": f"#EXTM3U\n#EXTINF:4,\ntorn/{NAME}.m4s\n".encode(),
    f"/torn/{NAME}.m4s": b"another segment",
    "/empty.m3u8": b"#EXTM3U\n",
    "/page.m3u8": b"<html>We will be back</html>",
}

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run a server until the end of the block."""

    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except OSError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(until_closed, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def files(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await reader.readuntil(b"\r\n\r\n"):
        path = head.split()[1].decode()
        status = int(path[1:]) if path[1:].isdigit() else 200 if path in FILES else 404
        body = FILES.get(path, b"")
        if path == "/large":
            status, body = 200, bytes(2_000_000)
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()


async def cut_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def http(url: str, **more: object) -> Probe:
    return Probe(name="known", kind=ProbeKind.HTTP, url=url, **more)  # type: ignore[arg-type]


def segment(url: str) -> Probe:
    return Probe(name="story", kind=ProbeKind.SEGMENT, url=url, timeout_s=20.0)


@pytest.mark.parametrize(
    ("path", "more", "why"),
    [
        ("/known", {}, ""),
        ("/known", {"sha256": hashlib.sha256(b"known").hexdigest()}, ""),
        ("/known", {"sha256": "0" * 64}, "5 bytes that are not the known body"),
        ("/known", {"status": 204}, "status 200, not 204"),
        ("/503", {}, "status 503, not 200"),
        ("/503", {"status": 503}, ""),
        ("/large", {}, "more than 1048576 bytes"),
    ],
)
async def test_a_page(path, more, why):
    async with serving(files) as port:
        answer = await ask(http(f"http://127.0.0.1:{port}{path}", timeout_s=20.0, **more), 1)
    assert answer.why == why


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/main.m3u8", ""),
        ("/torn.m3u8", "a segment with wrong bytes"),
        ("/empty.m3u8", "a playlist that names nothing"),
        ("/page.m3u8", "no playlist"),
        ("/none.m3u8", "status 404, not 200"),
    ],
)
async def test_a_segment_through_the_whole_path(path, why):
    async with serving(files) as port:
        answer = await ask(segment(f"http://127.0.0.1:{port}{path}"), 3)
    assert answer.why == why


@pytest.mark.parametrize(
    "line", ["//[", "http://xn--/", "http://127.0.0.1:-1/", "http://127.0.0.1:99999/", "ftp://x/"]
)
async def test_what_a_playlist_names_never_ends_who_watches(line):
    body = f"#EXTM3U\n{line}\n".encode()

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    async with serving(broken) as port:
        answer = await ask(segment(f"http://127.0.0.1:{port}/main.m3u8"), 1)
    assert answer.why


async def test_a_server_that_breaks_off():
    async with serving(cut_off) as port:
        answer = await ask(http(f"http://127.0.0.1:{port}/", timeout_s=20.0), 1)
    assert "peer closed connection" in answer.why


async def test_a_server_that_is_silent_is_given_up():
    async with serving(silent) as port:
        answer = await ask(http(f"http://127.0.0.1:{port}/", timeout_s=0.05), 1)
    assert answer.why == "no answer within 0.05 s"


async def test_nobody_listens():
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"//127.0.0.1:{bound.getsockname()[1]}"
        tcp = Probe(name="port", kind=ProbeKind.TCP, url=f"tcp:{url}")
        assert (await ask(tcp, 1)).why == "refused"
        assert (await ask(http(f"http:{url}/"), 1)).why == "refused"


async def test_somebody_listens():
    async with serving(silent) as port:
        probe = Probe(name="port", kind=ProbeKind.TCP, url=f"tcp://127.0.0.1:{port}", timeout_s=20)
        assert (await ask(probe, 1)).is_good


def certificate(directory, *, days: int) -> tuple[str, ssl.SSLContext]:
    """A certificate that ends in `days` (it may have ended), and a server's context of it."""
    key, asked, made = (str(directory / name) for name in ("key", "asked", "made.pem"))
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=edge.test", "-addext", "subjectAltName=DNS:edge.test"]
    sign = ["openssl", "x509", "-req", "-in", asked, "-signkey", key, "-days", str(days)]
    for command in (
        ["openssl", "req", "-new", *new_key, *named, "-keyout", key, "-out", asked],
        [*sign, "-out", made, "-copy_extensions", "copy"],
    ):
        subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made, key)
    return made, context


@pytest.mark.parametrize(
    ("days", "name", "why"),
    [
        (30, "edge.test", ""),
        (3, "edge.test", "the certificate ends in 3.0 days"),
        (-1, "edge.test", "certificate has expired"),
        (30, "other.test", "Hostname mismatch, certificate is not valid for 'other.test'."),
    ],
)
async def test_a_certificate(tmp_path, days, name, why):
    made, context = certificate(tmp_path, days=days)
    async with serving(files, context) as port:
        url = f"//127.0.0.1:{port}"
        common = {"host_header": name, "ca_file": made, "timeout_s": 20.0}
        tls = Probe(name="tls", kind=ProbeKind.TLS, url=f"tls:{url}", **common)
        assert (await ask(tls, 1)).why == why
        if days != 3:
            assert (await ask(http(f"https:{url}/known", **common), 1)).why == why


async def test_nobody_vouches_for_a_certificate(tmp_path):
    _, context = certificate(tmp_path, days=30)
    async with serving(files, context) as port:
        answer = await ask(http(f"https://127.0.0.1:{port}/", timeout_s=20.0), 1)
    assert answer.why == "self-signed certificate"


KNOWN = {"cdn.test.": ["192.0.2.7"], "gone.test.": None, "empty.test.": []}


class NameServer(asyncio.DatagramProtocol):
    """Answers A questions from a table; says nothing about `silent.test.`"""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        query = dns.message.from_wire(data)
        (asked,) = query.question
        if str(asked.name) == "silent.test.":
            return
        answer = dns.message.make_response(query)
        found = KNOWN[str(asked.name)]
        if found is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif found and dns.rdatatype.to_text(asked.rdtype) == "A":
            answer.answer.append(dns.rrset.from_text_list(asked.name, 5, "IN", "A", found))
        self.transport.sendto(answer.to_wire(), addr)


@pytest.mark.parametrize(
    ("name", "more", "why"),
    [
        ("cdn.test", {}, ""),
        ("cdn.test", {"answers": ("192.0.2.7", "192.0.2.8")}, ""),
        ("cdn.test", {"answers": ("192.0.2.8",)}, "127.0.0.1 says 192.0.2.7"),
        ("gone.test", {}, "127.0.0.1 says NXDOMAIN"),
        ("empty.test", {}, "127.0.0.1 knows no address"),
        ("silent.test", {"timeout_s": 0.05}, "no answer within 0.05 s"),
    ],
)
async def test_a_name(name, more, why):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    with closing(transport):
        resolver = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
        common = {"timeout_s": 20.0} | more
        probe = Probe(
            name="name", kind=ProbeKind.DNS, host_header=name, resolvers=(resolver,), **common
        )
        assert (await ask(probe, 1)).why in (
            why,
            "127.0.0.1 does not answer" if "silent" in name else why,
        )


async def test_of_two_resolvers_one_is_silent():
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, ("127.0.0.1", 0))
    with closing(transport), closing(socket.socket(type=socket.SOCK_DGRAM)) as silent:
        silent.bind(("127.0.0.2", 0))  # what is asked there is never read
        sockets = (transport.get_extra_info("socket"), silent)
        resolvers = tuple("{}:{}".format(*each.getsockname()) for each in sockets)
        asked = {("cdn.test", resolvers): "", ("cdn.test", resolvers[1:]): SILENT}
        asked |= {("gone.test", resolvers): "127.0.0.1 says NXDOMAIN"}
        probes = [
            Probe(name="n", kind=ProbeKind.DNS, host_header=name, resolvers=by, timeout_s=3.0)
            for name, by in asked
        ]
        said = await asyncio.gather(*(ask(each, 1) for each in probes))
        assert [each.why for each in said] == list(asked.values())


async def test_a_resolver_that_hangs_up_is_one_that_failed():
    """It says that its answer is cut off, and closes the connection on which it was asked again."""

    class Cut(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, addr):
            answer = dns.message.make_response(dns.message.from_wire(data))
            answer.flags |= dns.flags.TC
            self.transport.sendto(answer.to_wire(), addr)

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2)

    async with serving(hang_up) as port:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Cut, ("127.0.0.1", port))
        with closing(transport):
            probe = Probe(
                name="name",
                kind=ProbeKind.DNS,
                host_header="cdn.test",
                resolvers=(f"127.0.0.1:{port}",),
                timeout_s=20.0,
            )
            assert (await ask(probe, 1)).why.startswith("127.0.0.1: ")


async def test_the_first_probe_that_fails_is_the_reason():
    async with serving(files) as port:
        good, bad = (
            http(f"http://127.0.0.1:{port}/{path}", timeout_s=20.0) for path in ("known", "500")
        )
        assert (await ask_all([good, good], 1)).is_good
        assert (await ask_all([good, bad], 1)).why == "known: status 500, not 200"


def watch_of(ask_target, controls=()) -> tuple[Watch, Journal]:
    """A vantage that asks one target a hundred times a second."""
    target = Target(name="cdn", needs=OWN, probes=())
    detection = Detection(interval_s=0.01)
    vantage = Vantage(name="v", region="north", url="http://v", needs=OWN, controls=controls)
    services = (Service(name="media", targets=(target,), detection=detection),)
    journal = Journal("v", "boot")
    model = Model(services=services, vantages=(vantage,))
    return Watch(model, vantage, journal, ask=ask_target), journal


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 what it waits for tells nobody
            await asyncio.sleep(0.01)


def seen(outcome: Outcome) -> Round:
    return Round(service="media", target="cdn", number=0, outcome=outcome)


@contextmanager
def no_file_left() -> Iterator[None]:
    """Let this process open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 64, hard))
    try:
        with suppress(OSError):
            while True:
                held.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for each in held:
            os.close(each)


OWN_LACKS = {
    "tcp": {"kind": ProbeKind.TCP, "url": "tcp://127.0.0.1:9"},
    "http": {"kind": ProbeKind.HTTP, "url": "http://127.0.0.1:9/"},
    "tls": {"kind": ProbeKind.TLS, "url": "tls://127.0.0.1:9"},
    "dns": {
        "kind": ProbeKind.DNS,
        "host_header": "cdn.test",
        "resolvers": ("127.0.0.1:9", "127.0.0.2:9"),
    },
    "by a name that nobody resolves": {"kind": ProbeKind.TCP, "url": "tcp://localhost:9"},
}


@pytest.mark.parametrize("what", OWN_LACKS)
async def test_a_lack_of_files_is_no_targets_fault(what):
    probe = Probe(name="up", timeout_s=20.0, **OWN_LACKS[what])
    assert not (await ask(replace(probe, timeout_s=0.5), 1)).is_lack  # and all is loaded
    with no_file_left():
        answer = await ask(probe, 1)
        with pytest.raises(LackError, match="media/cdn cannot be asked: up: "):
            await ask_target("media", "cdn", [probe], 1)
    assert answer.is_lack, answer.why


@pytest.mark.parametrize(
    ("met", "expected"),
    [
        ([OSError(errno.EADDRNOTAVAIL, "no IPv6 here")], True),
        ([OSError(errno.EADDRNOTAVAIL, "no IPv6 here"), ConnectionRefusedError()], False),
        ([MemoryError()], True),
        ([ConnectionResetError()], False),
    ],
)
def test_one_who_refused_was_asked(met, expected):
    error = OSError("All connection attempts failed")
    error.__cause__ = ExceptionGroup("several addresses", met)
    assert is_lack(error) is expected


async def test_who_could_ask_nobody_has_no_vote_until_it_can_again(monkeypatch):
    monkeypatch.setattr(vantage, "LACK_S", 0.3)
    monkeypatch.setattr(vantage, "CONTROLS_S", 0.01)
    lacks = True

    async def lacking(service, target, probes, number):
        if lacks:
            raise LackError("media/cdn cannot be asked: up: Too many open files")
        return seen(Outcome.OK)

    watch, journal = watch_of(lacking)
    async with watch.watching():
        await until(lambda: watch.not_seen > 3)
        report = journal.report(0, "boot")
        assert (report.rounds, report.controls_ok) == ((), False)
        assert "Too many open files" in report.controls_why
        lacks = False
        await until(lambda: journal.report(0, "boot").controls_ok)
        await until(lambda: bool(journal.report(0, "boot").rounds))


async def test_rounds_go_on_while_one_hangs():
    asked: list[int] = []

    async def hangs_once(service, target, probes, number):
        asked.append(number)
        if number == 2:
            await asyncio.Event().wait()
        return seen(Outcome.OK)

    watch, journal = watch_of(hangs_once)
    async with watch.watching():
        await until(lambda: len(journal.report(0, "boot").rounds) >= 5)
    rounds = journal.report(0, "boot").rounds
    assert [each.number for each in rounds] == list(range(1, len(rounds) + 1))
    assert 2 in asked


async def test_a_target_of_which_all_rounds_hang_is_not_asked_without_end():
    async def hangs(service, target, probes, number):
        await asyncio.Event().wait()

    watch, _ = watch_of(hangs)
    async with watch.watching():
        await until(lambda: watch.left_out > 3)


async def test_before_a_failure_is_told_the_controls_are_asked():
    rounds: list[int] = []

    async def fails(service, target, probes, number):
        rounds.append(number)
        return seen(Outcome.FAIL)

    async with serving(files) as port:
        gone = http(f"http://127.0.0.1:{port}/500", timeout_s=20.0)
        watch, journal = watch_of(fails, controls=(gone,))
        async with watch.watching():
            await until(lambda: journal.report(0, "").controls_why != "not asked yet")
            await until(lambda: len(rounds) > 5)
            report = journal.report(0, "")
    assert (report.controls_ok, report.rounds) == (False, ())
    assert report.controls_why == "known: status 500, not 200"


async def test_a_journal_tells_what_came_after():
    journal = Journal("v", "boot", rounds_max=3)
    assert not journal.report(0, "boot").controls_ok
    journal.add([seen(Outcome.OK)] * 2)  # by who cannot see
    journal.controls(Answer())
    journal.add([seen(Outcome.OK)] * 2)
    first = journal.report(0, "boot")
    assert (len(first.rounds), first.number) == (2, 3)
    journal.add([seen(Outcome.FAIL)])
    second = journal.report(first.number, "boot")
    assert [each.outcome for each in second.rounds] == [Outcome.FAIL]
    assert journal.report(second.number, "boot").rounds == ()
    assert len(journal.report(second.number, "another start").rounds) == 3
    journal.add([seen(Outcome.OK)] * 2)
    assert len(journal.report(0, "boot").rounds) == 3

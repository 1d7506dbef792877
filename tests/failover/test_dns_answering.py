"""Bytes to bytes: the plain query, signed messages, transfers, and what is none of them."""

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.dns_answering import Answerer, truncated
from failover.dns_dispatch import Dispatcher
from failover.dns_query import read_question
from failover.dns_rfc2136 import tsig_key
from failover.zone_file import of_nodes, parse_zone

SECRET = "c2VjcmV0LW9mLWEtdGVzdC1hbmQtbm90aGluZy1lbHNl"
KEY = tsig_key(f"hmac-sha256:transfer:{SECRET}")
OTHER = tsig_key(f"hmac-sha256:other:{SECRET}")
TEXT = """\
$TTL 60
@      SOA ns1 hostmaster 7 3600 600 86400 5
       NS  ns1
ns1    A   192.0.2.53
media  A   192.0.2.1
www    CNAME media
""" + "".join(f'big  TXT "{number:0200}"\n' for number in range(200))
ZONE = parse_zone(TEXT, "edge.test.", "edge.zone")


@pytest.fixture
def server():
    answerer = Answerer()
    answerer.publish(ZONE.origin, ZONE)
    answerer.publish(dns.name.from_text("late.test."), None)
    keys = {KEY.name: KEY, OTHER.name: OTHER}
    return Dispatcher(answerer=answerer, keys=keys, transfer_keys=frozenset({KEY.name}))


def ask(server, query, *, udp=True):
    """Send a query twice: the second answer is repeated from the first, and equal."""
    wire = query.to_wire()
    reply = server.reply(wire, udp=udp)
    assert isinstance(reply, bytes)
    if not query.had_tsig:
        assert server.reply(wire, udp=udp) == reply
    answer = dns.message.from_wire(reply, keyring=query.keyring, request_mac=query.mac)
    assert query.is_response(answer) or answer.rcode() != dns.rcode.NOERROR
    assert not answer.flags & dns.flags.RA
    return answer


def query(name="media.edge.test.", kind="A", **more):
    return dns.message.make_query(name, kind, **more)


def test_the_question_comes_back_as_it_was_asked(server):
    answer = ask(server, query("mEdIa.EDGE.test."))
    assert str(answer.question[0].name) == str(answer.answer[0].name) == "mEdIa.EDGE.test."
    assert answer.flags & dns.flags.RD
    other = query("MEDIA.edge.test.")
    other.flags &= ~dns.flags.RD
    answer = ask(server, other)
    assert str(answer.answer[0].name) == "MEDIA.edge.test."
    assert not answer.flags & dns.flags.RD


def test_edns_is_answered_with_edns_and_only_then(server):
    assert ask(server, query()).edns == -1
    answer = ask(server, query(use_edns=0, payload=4096, options=[dns.edns.NSIDOption(b"")]))
    assert (answer.edns, answer.payload) == (0, 1232)
    assert ask(server, query(use_edns=1)).rcode() is dns.rcode.BADVERS


@pytest.mark.parametrize(
    ("payload", "most"), [(None, 512), (512, 512), (1000, 512), (1232, 1232), (65_000, 1232)]
)
def test_what_does_not_fit_is_truncated(server, payload, most):
    edns = {} if payload is None else {"use_edns": 0, "payload": payload}
    asked = query("big.edge.test.", "TXT", **edns)
    assert len(server.reply(asked.to_wire(), udp=True)) <= most
    answer = ask(server, asked)
    assert answer.flags & dns.flags.TC
    assert (answer.edns == 0) is (payload is not None)


def test_by_tcp_nothing_is_truncated(server):
    wire = query("big.edge.test.", "TXT").to_wire()
    answer = dns.message.from_wire(server.reply(wire, udp=False), one_rr_per_rrset=True)
    assert len(answer.answer) == 200


@pytest.mark.parametrize(
    ("asked", "rcode"),
    [
        (query("media.other.test."), dns.rcode.REFUSED),
        (query("."), dns.rcode.REFUSED),
        (query("version.bind.", "TXT", rdclass="CH"), dns.rcode.REFUSED),
        (query("x.late.test."), dns.rcode.SERVFAIL),
        (query("nobody.edge.test."), dns.rcode.NXDOMAIN),
        (query("edge.test.", "AXFR"), dns.rcode.REFUSED),
    ],
)
def test_what_it_does_not_answer(server, asked, rcode):
    answer = ask(server, asked)
    assert answer.rcode() is rcode
    assert not answer.answer


def test_other_opcodes_are_not_implemented(server):
    update = dns.message.make_query("edge.test.", "SOA")
    update.set_opcode(dns.opcode.STATUS)
    assert ask(server, update).rcode() is dns.rcode.NOTIMP


def test_an_answer_is_never_answered(server):
    response = dns.message.make_response(query())
    assert server.reply(response.to_wire(), udp=True) is None
    assert server.reply(b"", udp=True) is None
    assert server.reply(bytes(11), udp=True) is None


def test_half_a_query_is_a_format_error(server):
    reply = server.reply(query().to_wire()[:-3], udp=True)
    assert dns.message.from_wire(reply, ignore_trailing=True).rcode() is dns.rcode.FORMERR


@settings(max_examples=300)
@given(st.data())
def test_nothing_breaks_it(data):
    answerer = Answerer()
    answerer.publish(ZONE.origin, ZONE)
    server = Dispatcher(answerer=answerer, keys={KEY.name: KEY})
    wire = bytearray(query("media.edge.test.", use_edns=0).to_wire())
    for _ in range(data.draw(st.integers(0, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(wire[: data.draw(st.integers(0, len(wire)))]) + data.draw(st.binary(max_size=8))
    reply = server.reply(cut, udp=True)
    assert reply is None or isinstance(reply, bytes)
    if reply:
        assert reply[:2] == cut[:2]
        assert len(reply) <= 1232


@given(st.binary(max_size=80))
def test_reading_is_total(wire):
    read_question(wire)


def test_a_cut_answer_keeps_its_question(server):
    answer = dns.message.from_wire(truncated(server.reply(query().to_wire(), udp=True)))
    assert answer.flags & dns.flags.TC
    assert str(answer.question[0].name) == "media.edge.test."
    assert not answer.answer


def test_names_that_are_not_there_do_not_fill_the_memory():
    answerer = Answerer(rendered_max=10)
    answerer.publish(ZONE.origin, ZONE)
    for number in range(25):
        asked = b"\0\1\0\0\0\1\0\0\0\0\0\0\6" + b"%06d" % number + b"\4edge\4test\0\0\1\0\1"
        assert answerer.answer(asked, udp=True) is not None
        assert len(answerer._rendered) <= 10


def test_a_new_zone_is_answered_from_at_once(server):
    before = ask(server, query()).answer[0].to_text()
    newer = parse_zone(TEXT.replace("192.0.2.1\n", "192.0.2.2\n"), "edge.test.", "edge.zone")
    server.answerer.publish(newer.origin, newer)
    assert "192.0.2.1" in before
    assert "192.0.2.2" in ask(server, query()).answer[0].to_text()


def signed(key=KEY, name="edge.test.", kind="SOA", **more):
    asked = query(name, kind, **more)
    asked.use_tsig(key)
    return asked


def test_a_signed_query_is_answered_signed(server):
    asked = signed()
    answer = ask(server, asked)
    assert answer.had_tsig
    assert answer.flags & dns.flags.AA


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (tsig_key(f"hmac-sha256:unknown:{SECRET}"), dns.tsig.PeerBadKey),
        (tsig_key(f"hmac-sha256:transfer:{SECRET[4:]}"), dns.tsig.PeerBadSignature),
    ],
)
def test_a_wrong_signature_is_named(server, key, error):
    with pytest.raises(error):
        ask(server, signed(key))


def received(server, key=KEY, serial=None):
    """What dnspython's client makes of a transfer."""
    zone = dns.zone.Zone(ZONE.origin, relativize=False)
    asked, _ = dns.xfr.make_query(zone, serial=serial, keyring=key)
    wire = asked.to_wire()
    replies = server.reply(wire, udp=False)
    messages = [replies] if isinstance(replies, bytes) else list(replies)
    context = None
    with dns.xfr.Inbound(zone, asked.question[0].rdtype, serial) as inbound:
        for message in messages:
            answer = dns.message.from_wire(
                message,
                keyring=key,
                request_mac=asked.mac,
                xfr=True,
                origin=None,
                tsig_ctx=context,
                multi=True,
                one_rr_per_rrset=asked.question[0].rdtype == dns.rdatatype.IXFR,
            )
            context = answer.tsig_ctx
            assert answer.had_tsig
            done = inbound.process_message(answer)
    assert done
    return zone, len(messages)


def test_a_transfer_is_the_zone(server):
    zone, messages = received(server)
    assert messages > 1
    copy = of_nodes(zone.nodes, ZONE.origin)
    assert copy.nodes == ZONE.nodes


def test_an_increment_is_the_zone_or_nothing(server):
    assert received(server, serial=7)[1] == 1
    zone, _ = received(server, serial=6)
    assert of_nodes(zone.nodes, ZONE.origin).serial == 7


def test_only_a_key_with_the_right_gets_a_zone(server):
    answer = ask(server, signed(OTHER, kind="AXFR"), udp=False)
    assert answer.rcode() is dns.rcode.REFUSED
    answer = ask(server, signed(kind="AXFR"))
    assert answer.rcode() is dns.rcode.FORMERR  # by UDP
    answer = ask(server, signed(name="late.test.", kind="AXFR"), udp=False)
    assert answer.rcode() is dns.rcode.NOTAUTH


def test_only_a_signed_notify_of_a_followed_zone_counts(server):
    heard = []
    server.notified = lambda origin: heard.append(str(origin)) is None
    asked = query("edge.test.", "SOA")
    asked.set_opcode(dns.opcode.NOTIFY)
    assert ask(server, asked).rcode() is dns.rcode.REFUSED
    asked = signed()
    asked.set_opcode(dns.opcode.NOTIFY)
    assert ask(server, asked).rcode() is dns.rcode.NOERROR
    assert heard == ["edge.test."]
    server.notified = lambda origin: False
    asked = signed()
    asked.set_opcode(dns.opcode.NOTIFY)
    assert ask(server, asked).rcode() is dns.rcode.NOTAUTH

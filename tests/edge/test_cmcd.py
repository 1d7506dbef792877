"""CMCD as players write it, as it may come, and as we write it."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cmcd import (
    KEYS,
    REPORT_BYTES_MAX,
    TOKENS,
    Kind,
    NextObject,
    OfType,
    number,
    parse_fields,
    parse_query,
    read_request,
    render_fields,
    render_query,
)
from edge.loose_dictionary import STRING_MAX
from tests.support.table import table

PLAIN = (OfType(5000),)
BY_TYPE = (OfType(5000, "video"), OfType(128, "audio"))


def told(text):
    return parse_query(quote(text, safe="").encode())


@pytest.mark.parametrize(
    ("text", "report"),
    [
        ("bl=21300", {"buffer_length_ms": (OfType(21300),)}),
        ("bs", {"buffer_starvation": True}),
        ("bs=?0,su=?1", {"buffer_starvation": False, "startup": True}),
        ("br=(5000)", {"encoded_bitrate_kbps": PLAIN}),
        ("br=(5000;v 128;a)", {"encoded_bitrate_kbps": BY_TYPE}),
        ("br=( 5000;v  128;a ) , v=2", {"encoded_bitrate_kbps": BY_TYPE, "version": 2}),
        ("br=(5000;x=1;v)", {"encoded_bitrate_kbps": (OfType(5000, "video"),)}),
        ('mtp=(7;v "7" -7)', {"measured_throughput_kbps": (OfType(7, "video"),)}),
        ("bl=21300.7", {"buffer_length_ms": (OfType(21301),)}),
        ("ot=av,sf=h", {"object_type": "muxed", "streaming_format": "hls"}),
        ("st=ll", {"stream_type": "low-latency-live"}),
        ("sta=r,v=2", {"player_state": "rebuffering", "version": 2}),
        ("pr=1.08", {"playback_rate": 1.08}),
        ("pr=2", {"playback_rate": 2.0}),
        ('sid="a\\"b\\\\c,d"', {"session_id": 'a"b\\c,d'}),
        ('nor="..%2F3%20a.m4s"', {"next_objects": (NextObject("../3 a.m4s"),)}),
        ('nor="3.m4s",nrr="0-99"', {"next_objects": (NextObject("3.m4s", "0-99"),)}),
        ('nrr="100-"', {"next_objects": (NextObject("", "100-"),)}),
        (
            'nor=("3%20a.m4s";r="-100" "4.m4s"),v=2',
            {"next_objects": (NextObject("3%20a.m4s", "-100"), NextObject("4.m4s")), "version": 2},
        ),
        ('nor=("3.m4s";r="bytes=1-2"),v=2', {"next_objects": (NextObject("3.m4s"),), "version": 2}),
        # what is malformed, unknown or out of range spoils only itself
        ("com.example-key=1,bl=5", {"buffer_length_ms": (OfType(5),)}),
        ("bl=,d=4000", {"object_duration_ms": 4000}),
        ("=,,bl=5,", {"buffer_length_ms": (OfType(5),)}),
        ("d=abc,d=4000", {"object_duration_ms": 4000}),
        ("d=4000,d=abc", {}),
        ("d=-1,rtp=100", {"requested_throughput_kbps": 100}),
        ("d=1234567890123456,rtp=100", {"requested_throughput_kbps": 100}),
        ("d=40x0,rtp=100", {"requested_throughput_kbps": 100}),
        ("ot=zz,bs", {"buffer_starvation": True}),
        ('ot="v",sf=h', {"object_type": "video", "streaming_format": "hls"}),
        ('sid=abc,cid="c"', {"content_id": "c"}),
        ('sid="a,bs,su', {}),
        ("bs=(1 2,su", {"startup": True}),
        ("br=(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17),bs", {"buffer_starvation": True}),
        ("d=\u0664", {}),
        ("nor=(a.m4s 7),bs", {"buffer_starvation": True}),
        ("br=(1;=2),bl=(1;9),bs", {"buffer_starvation": True}),
        (f'sid="{"x" * STRING_MAX}",bs', {"buffer_starvation": True}),
        ('nor=("a" "b"),nrr="1-2"', {"next_objects": (NextObject("a"), NextObject("b"))}),
    ],
)  # fmt: skip
def test_what_a_player_tells(text, report):
    assert told(text) == report
    assert parse_fields([text.encode()]) == report


@pytest.mark.parametrize("case", table("""
    target                         fields                                       buffer_ms
    /1.m4s?CMCD=bl%3D500           -                                            500
    /1.m4s?a=1&CMCD=bl%3D500&b=2   -                                            500
    /1.m4s?XCMCD=bl%3D500          -                                            -
    /1.m4s                         cmcd-request: bl=500                         500
    /1.m4s                         cmcd-request: su,bl=500 | cmcd-object: ot=v  500
    /1.m4s?CMCD=bl%3D500           cmcd-request: bl=700                         500
    /1.m4s                         cmcd: bl=500                                 -
"""), ids=str)  # fmt: skip
def test_where_it_is_told(case):
    lines = [line.split(": ") for line in case["fields"].split(" | ") if line]
    fields = tuple((name.encode(), value.encode()) for name, value in lines)
    found = number(read_request(case["target"].encode(), fields), "buffer_length_ms")
    assert str(found or "") == case["buffer_ms"]


def test_the_number_about_this_object_is_meant():
    report = told("ot=a,br=(5000;v 128;a),bl=(9;v),rtp=7,bs")
    assert number(report, "encoded_bitrate_kbps") == 128
    assert number(report, "buffer_length_ms") == 9
    assert number(report, "requested_throughput_kbps") == 7
    assert number(report, "buffer_starvation") is None
    assert number(report, "measured_throughput_kbps") is None


def test_limits():
    assert parse_query(b"bs," + b"x" * REPORT_BYTES_MAX) == {}
    assert parse_fields([b"bs"] * 4) == {"buffer_starvation": True}
    assert parse_fields([b"bs"] * 5) == {}
    assert parse_fields([b"bs", b"x" * REPORT_BYTES_MAX]) == {}
    assert told("x," * 63 + "bs") == {"buffer_starvation": True}
    assert told("x," * 64 + "bs") == {}


@given(st.binary(max_size=300) | st.text('abs="\\(),; =1.-?', max_size=300).map(str.encode))
def test_any_bytes_are_read_or_left_out(junk):
    for report in (parse_query(junk), parse_fields([junk])):
        assert set(report) <= {key.name for key in KEYS.values()}
        again = parse_query(render_query(report)[5:])
        assert again == parse_query(render_query(again)[5:])


TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
NUMBERS = st.integers(0, 10**9)
OF_TYPES = st.builds(OfType, NUMBERS, st.sampled_from(["", *TOKENS["ot"].values()]))
RANGES = st.sampled_from(["", "0-99", "100-", "-100"])
VALUES = {
    Kind.BOOLEAN: st.booleans(),
    Kind.INTEGER: NUMBERS,
    Kind.DECIMAL: st.integers(0, 5000).map(lambda thousandths: thousandths / 1000),
    Kind.STRING: TEXTS,
    Kind.NUMBERS: st.lists(OF_TYPES, min_size=1, max_size=4).map(tuple),
    Kind.NEXT: st.lists(st.builds(NextObject, TEXTS, RANGES), min_size=1, max_size=3).map(tuple),
}


@st.composite
def reports(draw):
    """Any report of one version."""
    version = draw(st.sampled_from([1, 2]))
    keys = [short for short, key in KEYS.items() if short != "v" and key.version <= version]
    report = {}
    for short in draw(st.lists(st.sampled_from(keys), unique=True)):
        kind = KEYS[short].kind
        words = st.sampled_from([*TOKENS[short].values()]) if kind is Kind.TOKEN else VALUES[kind]
        report[KEYS[short].name] = draw(words)
    return report | ({"version": 2} if version == 2 else {})


@given(reports())
def test_what_is_rendered_is_read_again(report):
    assert parse_query(render_query(report).removeprefix(b"CMCD=")) == report
    assert parse_fields(value for _, value in render_fields(report)) == report


def test_a_query_is_one_argument():
    text = render_query({"session_id": "a&b#c", "buffer_starvation": True}).decode()
    assert text == "CMCD=bs%2Csid%3D%22a%26b%23c%22"
    assert unquote(text) == 'CMCD=bs,sid="a&b#c"'


HLS_JS = """
bl=(4000),br=(300),cid="a",d=2000,dl=4000,mtp=(93000),nor=("3.m4s"),ot=v,pb=(300),rtp=1500,sf=h,\
sid="2e016ae9-fa6c-4488-8ccd-f4a3e4cc95be",sn=4,st=v,sta=p,tpb=(300),v=2
bl=4000,br=300,cid="a",d=2000,dl=4000,mtp=67200,nor="3.m4s",ot=v,rtp=1500,sf=h,\
sid="2e016ae9-fa6c-4488-8ccd-f4a3e4cc95be",st=v
"""  # as hls.js 1.7.4 writes them


@pytest.mark.parametrize("text", HLS_JS.strip().splitlines())
def test_a_player_s_report_is_rendered_as_it_wrote_it(text):
    assert unquote(render_query(told(text)).decode()) == f"CMCD={text}"

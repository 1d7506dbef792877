"""The rows of the hit benchmark are asked and answered as they say."""

from pathlib import Path

import pytest

from benchmarks.hit_rows import BY_LABEL, ROWS, STEADY
from benchmarks.load import SCRIPTS
from benchmarks.pairing import RunRefusedError
from benchmarks.peers import EDGE, STARTS
from benchmarks.processes import Server
from benchmarks.steady import browser_fields, read_log
from benchmarks.streams import CLIENTS, REQUESTS_MAX, Run, command
from edge.http2 import STREAMS_MAX


def test_rows_name_scripts_and_servers_that_there_are():
    assert len(BY_LABEL) == len(ROWS)
    assert STEADY in BY_LABEL
    for row in ROWS:
        assert (SCRIPTS / row.script).is_file()
        assert EDGE in row.servers
        assert set(row.targets) <= set(row.servers) - {EDGE} <= set(STARTS)
        assert row.body_bytes <= row.size


def test_both_loads_send_the_fields_of_a_browser():
    fields = dict(browser_fields())
    assert len(fields) == 10
    assert fields["Sec-Fetch-Mode"] == "cors"


def test_the_log_of_a_steady_load_is_read_in_order(tmp_path):
    log = tmp_path / "log"
    log.write_text("1763731664000001\t200\t90\n1763731664000002\t206\t20\n7\t502\t1\n")
    assert read_log(log) == (1, [20, 90])


SAID = """\
TLS Protocol: TLSv1.3
Cipher: TLS_AES_128_GCM_SHA256
Server Temp Key: X25519 253 bits
Application protocol: h2
progress: 100% done

finished in 250.50ms, 39.92 req/s, 79.84MB/s
requests: 10 total, 10 started, 10 done, 10 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 9 2xx, 0 3xx, 1 4xx, 0 5xx
traffic: 13.00KB (13312) total, 1.00KB (1024) headers (space savings 7.00%), 10.00KB (10240) data
                     min         max         mean         sd        +/- sd
"""


def test_what_the_load_over_http2_says_is_read():
    assert Run.of(SAID) == Run(seconds=0.2505, good=9, received=13312, body_bytes=10240)


@pytest.mark.parametrize("other", ["protocol: http/1.1", "Cipher: TLS_AES_256_GCM_SHA384", ""])
def test_another_protocol_or_cipher_refuses_the_run(other):
    name = other.partition(":")[0] or "finished"
    lines = [other if name in line else line for line in SAID.splitlines()]
    with pytest.raises(RunRefusedError, match="not h2 over"):
        Run.of("\n".join(lines))


@pytest.mark.parametrize("row", [row for row in ROWS if row.http2], ids=lambda row: row.label)
def test_a_connection_of_the_load_ends_before_it_is_ended(row):
    asked = command(Server("edge", 1, None, Path(), tls=True), row, CLIENTS * REQUESTS_MAX)
    assert {"-c8", "-m16"} < set(asked)
    assert REQUESTS_MAX < STREAMS_MAX
    assert row.tls
    assert row.turn_s == 20

"""The rows of the hit benchmark are asked and answered as they say."""

from benchmarks.hit_rows import BY_LABEL, ROWS, STEADY
from benchmarks.load import SCRIPTS
from benchmarks.peers import EDGE, STARTS
from benchmarks.steady import browser_fields, read_log


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

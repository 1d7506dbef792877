"""The audit log: what was changed is found, and where; a crash loses no whole line."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.audit import BEGINNING, Link, broken, entry, read_line
from failover.audit_file import AuditError, AuditFile

WORDS = st.dictionaries(st.sampled_from(["event", "text", "who"]), st.text(max_size=20))


def chain(entries: list[dict[str, str]]) -> list[bytes]:
    lines, end = [], Link()
    for at, what in enumerate(entries):
        line, end = entry(end, float(at), what)
        lines.append(line)
    return lines


@given(st.lists(WORDS, max_size=8))
def test_what_was_written_holds(entries):
    end, why = broken(chain(entries))
    assert why is None
    assert end.number == len(entries)
    assert (end.digest == BEGINNING) is (not entries)


@given(st.lists(WORDS, min_size=2, max_size=6), st.data())
def test_whatever_is_done_to_a_line_is_found_there(entries, data):
    lines = chain(entries)
    at = data.draw(st.integers(0, len(lines) - 2))
    what = data.draw(st.sampled_from(["remove", "twice", "swap", "change", "tear"]))
    changed = list(lines)
    match what:
        case "remove":
            del changed[at]
        case "twice":
            changed.insert(at, lines[at])
            at += 1
        case "swap":
            changed[at], changed[at + 1] = lines[at + 1], lines[at]
        case "change":
            said = json.loads(lines[at]) | {"at": 99.5}
            changed[at] = json.dumps(said).encode() + b"\n"
        case "tear":
            changed[at] = lines[at][:-3]
    end, found = broken(changed)
    assert found is not None
    assert (found.line, end.number) == (at + 1, at)


def test_a_forged_line_does_not_follow():
    (line,) = chain([{"text": "a"}])
    forged, _ = entry(Link(1, "f" * 64), 2.0, {"text": "b"})
    assert broken([line, forged])[1].why == "does not follow the one before it"


def test_a_log_goes_on_where_it_ended(tmp_path):
    log = AuditFile(tmp_path / "audit" / "log")
    first = log.append({"event": "moved", "text": "to b"})
    log.close()
    again = AuditFile(tmp_path / "audit" / "log")
    second = again.append({"event": "moved", "text": "back"})
    assert (first["number"], second["number"]) == (1, 2)
    assert again.verify() == (Link(2, second["digest"]), None)
    assert [each["text"] for each in again.last(10)] == ["to b", "back"]
    assert [each["text"] for each in again.last(1)] == ["back"]
    again.close()


def test_a_line_that_a_crash_cut_off_is_set_aside(tmp_path):
    path = tmp_path / "log"
    log = AuditFile(path)
    log.append({"text": "whole"})
    log.close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    again = AuditFile(path)
    assert again.verify()[1] is None
    told = again.last(1)[0]
    assert told["torn"].startswith('{"number":1')
    assert "event" not in told  # that names what several may tell of: these are each its own
    again.close()


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditError, match="file"):
        AuditFile(tmp_path / "file" / "log")


def test_an_entry_has_a_limit(tmp_path):
    log = AuditFile(tmp_path / "log")
    with pytest.raises(AuditError, match="an entry of"):
        log.append({"text": "x" * 70_000})
    assert log.verify()[0].number == 0
    log.close()


def test_what_is_no_entry_is_none():
    assert read_line(b"[]\n") is None
    assert read_line(b"{\n") is None
    assert read_line(b"{}") is None


FILLS_THE_DISK = """
import resource, sys
from pathlib import Path
from failover.audit_file import AuditFile
log = AuditFile(Path(sys.argv[1]))
log.append({"text": "whole"})
resource.setrlimit(resource.RLIMIT_FSIZE, (400, resource.RLIM_INFINITY))
log.record({"text": "x" * 1000})
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.record({"text": "there is space again"})
print(log.lost, log.verify()[1])
"""


def test_a_line_that_a_full_disk_cut_off_does_not_break_the_chain(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", FILLS_THE_DISK, str(tmp_path / "log")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout == "1 None\n", ran.stderr


def test_half_a_surrogate_pair_is_recorded(tmp_path):
    log = AuditFile(tmp_path / "log")
    log.record({"text": "half \ud800 of a pair"})
    assert (log.lost, log.verify()[1]) == (0, None)
    assert log.last(1)[0]["text"] == "half ? of a pair"
    log.close()


@pytest.mark.parametrize("size", [10, 30_000, 65_000])
def test_the_newest_entries_are_found_from_the_end(tmp_path, size):
    log = AuditFile(tmp_path / "log")
    for number in range(7):
        log.append({"text": f"{number}" + "x" * size})
    for limit in (1, 3, 7, 100):
        assert [each["number"] for each in log.last(limit)] == [*range(1, 8)][-limit:]
    log.close()
    again = AuditFile(tmp_path / "log")
    again.append({"text": "goes on"})
    assert (again.verify()[0].number, again.verify()[1]) == (8, None)
    again.close()


def test_damaged_lines_are_left_out(tmp_path):
    log = AuditFile(tmp_path / "log")
    for text in ("one", "two"):
        log.append({"text": text})
    log.close()
    lines = (tmp_path / "log").read_bytes().splitlines(keepends=True)
    (tmp_path / "log").write_bytes(lines[0] + b"x" * 200_000 + b"\r\n" + lines[1] + b"torn")
    again = AuditFile(tmp_path / "log")
    assert [each["text"] for each in again.last(3)][:2] == ["one", "two"]
    assert again.verify()[1].line == 2
    again.close()


def test_a_log_is_read_while_it_is_written(tmp_path):
    log = AuditFile(tmp_path / "log")
    with ThreadPoolExecutor(1) as reader:
        for _ in range(20):
            reading = reader.submit(log.verify)
            for _ in range(5):
                log.append({"text": "x" * 20_000})
            assert reading.result(30)[1] is None
            assert len(log.last(1_000)) == log.verify()[0].number
    log.close()

"""The purge log on a real disk: what was recorded is read again, whatever happened since."""

import errno
import os
from pathlib import Path

import pytest

from edge.purge_log import DamagedLogError, PurgeLog, read
from edge.purged import Dated, Purged
from edge.purges import Purge, PurgeKind

KEY = b"http://a/x"


def tagged(sequence: int, tag: bytes = b"t", *, soft: bool = False) -> Dated:
    purge = Purge(sequence=sequence, kind=PurgeKind.TAG, value=tag, soft=soft)
    return Dated(purge, 1e9 + sequence)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "purges"


@pytest.fixture
def log(path: Path):
    log = PurgeLog(path)
    yield log
    log.close()


def test_it_is_read_as_it_was_written(path, log):
    log.append([tagged(1), tagged(2, b"\xff", soft=True)])
    log.append([Dated(Purge(sequence=3, kind=PurgeKind.ALL), 1e9)])
    history = read(path)
    assert (history.log_id, history.sequence) == (log.history.log_id, 3)
    assert list(history.purged) == list(log.history.purged)
    assert len(history.purged) == 3


def test_opening_it_again_goes_on_where_it_was(path, log):
    log.append([tagged(1), tagged(2)])
    again = PurgeLog(path)
    assert (again.history.log_id, again.history.sequence) == (log.history.log_id, 2)
    assert len(path.read_bytes().splitlines()) == 2  # one purge of that tag is enough
    again.append([tagged(3)])
    again.close()
    assert read(path).sequence == 3


@pytest.mark.parametrize("cut", range(1, 40, 6))
def test_a_last_line_that_is_cut_off_was_never_said(path, log, cut):
    log.append([tagged(1), tagged(2, b"u")])
    path.write_bytes(path.read_bytes()[:-cut])
    history = read(path)
    assert history.purged.since(0, KEY, [b"t"])
    assert not history.purged.since(0, KEY, [b"u"])


def test_any_other_damage_begins_a_new_log(path, log):
    log.append([tagged(1), tagged(2, b"u")])
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        if whole[at : at + 1] == b"\n" or at > whole.rindex(b"\n", 0, -1):
            continue
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(DamagedLogError):
            read(path)
    again = PurgeLog(path)
    assert again.history.log_id != log.history.log_id
    again.close()


def test_no_log_is_no_history(path):
    assert read(path) is None


def test_a_log_that_cannot_be_written_is_removed_and_comes_back(path, log, monkeypatch):
    log.append([tagged(1)])

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        log.append([tagged(2, b"u")])
    assert read(path) is None  # a restart now would find an empty disk
    log.append([tagged(3, b"v")])
    history = read(path)
    assert history.log_id == log.history.log_id
    assert all(history.purged.since(0, KEY, [tag]) for tag in (b"t", b"u", b"v"))


def test_urls_that_are_no_longer_known_by_name_stay_purged(path):
    log = PurgeLog(path)
    log.history.purged = Purged(4)
    named = [
        Dated(Purge(sequence=number, kind=PurgeKind.URL, value=b"http://a/%d" % number), 1e9)
        for number in range(1, 10)
    ]
    log.append(named)
    log._rewrite()
    log.close()
    purged = read(path).purged
    assert len(purged) == 4
    assert all(purged.since(number - 1, b"http://a/%d" % number, ()) for number in range(1, 10))
    assert not purged.since(9, b"http://a/9", ())
    assert not purged.since(0, b"http://a/film", ())

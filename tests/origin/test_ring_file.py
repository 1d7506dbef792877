"""An origin signs by the keys that its file has now."""

import base64
import logging

import pytest

from cache_policies.access_ring import RingError
from origin.ring_file import RingFile

SECRET = base64.b64encode(bytes(32)).decode()


def test_a_file_is_read_again_when_it_has_changed(tmp_path, caplog):
    file, now = tmp_path / "ring", [0.0]
    file.write_text(f"key a {SECRET}")
    keys = RingFile(file, "", lambda: now[0])
    assert [*keys.ring.keys] == [b"a"]
    file.write_text(f"key b {SECRET}")
    assert [*keys.ring.keys] == [b"a"]  # nobody has looked
    now[0] += 1.0
    assert [*keys.ring.keys] == [b"b"]
    with caplog.at_level(logging.ERROR):
        for content in (b"key b", b"key b", b"\xff"):
            file.write_bytes(content)
            now[0] += 1.0
            assert [*keys.ring.keys] == [b"b"]
        file.unlink()
        now[0] += 1.0
        assert [*keys.ring.keys] == [b"b"]
    assert [SECRET in record.getMessage() for record in caplog.records] == [False] * 3
    file.write_text(f"key c {SECRET}")
    now[0] -= 900.0  # the clock was set back
    assert [*keys.ring.keys] == [b"c"]


def test_a_ring_may_be_given_without_a_file():
    assert [*RingFile(None, f"key a {SECRET}", float).ring.keys] == [b"a"]
    assert RingFile(None, "", float).ring is None


def test_what_cannot_be_used_is_refused(tmp_path):
    for file, text in ((tmp_path / "none", ""), (None, "key a")):
        with pytest.raises(RingError):
            RingFile(file, text, float)
    (tmp_path / "empty").touch()
    with pytest.raises(RingError, match="no key"):
        RingFile(tmp_path / "empty", "", float)

"""`amaro access` as an operator types it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from amaro.cli import app
from amaro.commands.access import MEANINGS
from amaro.ring_text import new_ring, revoked, rotated
from cache_policies.access import Denial, verify
from cache_policies.access_ring import RingError, parse_ring
from cache_policies.key import split_token

SECRET = "A" * 43


def amaro(*argv: str) -> Result:
    return CliRunner().invoke(app, ["access", *argv], env={"COLUMNS": "200"})


@pytest.fixture
def keys(tmp_path: Path) -> str:
    file = tmp_path / "keys"
    assert amaro("new", str(file)).exit_code == 0
    return str(file)


def test_a_ring_is_made_once_for_its_owner(keys: str) -> None:
    assert Path(keys).stat().st_mode & 0o777 == 0o600
    assert [*parse_ring(Path(keys).read_text()).keys] == [b"k1"]
    assert amaro("new", keys).exit_code == 1


def test_rotation_keeps_old_tokens_open(keys: str) -> None:
    old = amaro("mint", keys, "/v/abc/").stdout.strip()
    assert amaro("rotate", keys, "--in", "5m").exit_code == 0
    ring = parse_ring(Path(keys).read_text())
    assert 200 < ring.keys[b"k2"].from_wall - time.time() <= 300
    assert ring.signing(time.time()).id == b"k1"
    assert amaro("rotate", keys, "--in", "0s").exit_code == 0
    new = amaro("mint", keys, "/v/abc/").stdout.strip()
    assert new != old
    for url in (old, new):
        assert amaro("check", keys, f"https://edge.example{url}main.m3u8?x").exit_code == 0


def test_a_revoked_prefix_opens_with_later_tokens_only(keys: str) -> None:
    old = amaro("mint", keys, "/v/abc/").stdout.strip()
    assert amaro("revoke", keys, "/v/").stdout == "/v/ is revoked under 1\n"
    assert amaro("revoke", keys, "/v/abc/").stdout == "/v/abc/ is revoked under 2\n"
    done = amaro("check", keys, old)
    assert (done.exit_code, done.stdout) == (1, "token-revoked: it was revoked\n")
    assert amaro("check", keys, amaro("mint", keys, "/v/abc/").stdout.strip()).exit_code == 0


def test_what_is_minted_is_bound_as_it_was_wished(keys: str) -> None:
    bound = ("--region", "north", "--network", "192.0.2.0/24", "--for", "10m")
    path = amaro("mint", keys, "/v/abc/", *bound).stdout.strip()
    grant = verify(parse_ring(Path(keys).read_text()), split_token(path.encode())[0], time.time())
    assert grant[0] == b"/v/abc/"
    assert 0 < grant[1] - time.time() <= 600
    assert grant[2:] == (b"north", b"192.0.2.0/24")
    said = json.loads(amaro("check", keys, path, "--region", "north", "--json").stdout)
    assert said == {
        "opens": True,
        "why": None,
        "prefix": "/v/abc/",
        "expires": grant[1],
        "region": "north",
        "network": "192.0.2.0/24",
    }
    for options, why in (
        (("--region", "south"), "token-region"),
        (("--region", "north", "--client", "198.51.100.1"), "token-client"),
    ):
        done = amaro("check", keys, path, "--json", *options)
        assert (done.exit_code, json.loads(done.stdout)["why"]) == (1, why)


@pytest.mark.parametrize(
    ("path", "why"),
    [("/v/abc/", "token-missing"), ("/~" + "A" * 60 + "/v/abc/", "token-malformed")],
)
def test_what_opens_nothing_says_why(keys: str, path: str, why: str) -> None:
    done = amaro("check", keys, path)
    assert (done.exit_code, done.stdout.partition(":")[0]) == (1, why)
    assert json.loads(amaro("check", keys, path, "--json").stdout) == {"opens": False, "why": why}


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (("rotate", "KEYS", "--in", "soon"), "--in: a duration is a number with a unit"),
        (("revoke", "KEYS", "/v"), "line 2: want a plain path that ends with a slash"),
        (("mint", "KEYS", "/v"), "a prefix is a plain path that ends with a slash"),
        (("mint", "KEYS", "/v/", "--region", "N"), "a region is 1 to 32 characters"),
        (("mint", "/nowhere", "/v/"), "Cannot read /nowhere: No such file"),
        (("check", "/dev/null", "/~" + "A" * 60 + "/v/"), "no key in it"),
        (("rotate", "/dev/null"), "no key in it"),
    ],
)
def test_a_wrong_wish_is_refused(keys: str, argv: tuple[str, ...], complaint: str) -> None:
    before = Path(keys).read_text()
    done = amaro(*(keys if word == "KEYS" else word for word in argv))
    assert done.exit_code == 2
    assert complaint in done.stderr.replace("\n", " ")
    assert Path(keys).read_text() == before


def test_every_reason_has_a_meaning() -> None:
    assert MEANINGS.keys() == set(Denial)


def test_changes_leave_a_text_that_is_read() -> None:
    text = new_ring(SECRET) + "# mine, without an end"
    twice = rotated(rotated(text, SECRET, 0.0), SECRET, 1_795_255_200.9)
    assert [*parse_ring(twice).keys] == [b"k1", b"k2", b"k3"]
    assert parse_ring(twice).keys[b"k3"].from_wall == 1_795_255_200.0
    assert "# mine" in twice
    assert parse_ring(revoked(revoked(twice, "/v/"), "/v/")).revoked == {b"/v/": 2}
    with pytest.raises(RingError):
        rotated("", SECRET, 0.0)

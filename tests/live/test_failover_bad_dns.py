"""A DNS provider that is not as it should be: status says why, and the other one is switched."""

import socket
from contextlib import closing

import dns.message
import dns.query
import pytest

from tests.support import cloudflare_dns, knots
from tests.support.cloudflare_dns import CloudflareDns
from tests.support.failover_dns_group import NAME, command, member_of
from tests.support.ports import own_port
from tests.support.served import served
from tests.support.stack import until

WRONG = knots.KEY.replace("c2Vj", "d3Jv")


@pytest.fixture(scope="module")
def knot():
    with knots.knot() as running:
        yield running


@pytest.fixture(scope="module")
def other():
    """Another server, that knows the zone, and a stranger's key that may change nothing."""
    with knots.knot() as running:
        yield running


def at(server) -> dict[str, str]:
    """A provider by RFC 2136."""
    return {"kind": "rfc2136", "server": f'"{server}"', "name_servers": f'["{server}"]'}


CASES = {  # what is wrong: (the provider's fields, its secret, what is said)
    "wrong key": lambda other: (at(other.server), WRONG, "check the credential"),
    "refused update": lambda other: (at(other.server), knots.STRANGER, "check the credential"),
    "nobody there": lambda _: (
        at(f"127.0.0.1:{own_port()}"),
        knots.KEY,
        "it is not known whether it acted",
    ),
}


def bad_row(group):
    said = group.status("m1")
    rows = {each["provider"]: each for each in (said or {}).get("dns", ())}
    settled = rows and rows["good"]["state"] == "in force" and rows["bad"]["why"]
    return rows if settled else None


@pytest.mark.parametrize("what", CASES)
def test_status_says_which_provider_is_where_and_what_to_do(what, knot, other, tmp_path):
    fields, secret, said = CASES[what](other)
    with member_of(tmp_path, knot.server, fields, secret) as group:
        rows = until(lambda: bad_row(group), max_s=60, what="one is in force, one has failed")
        assert (rows["bad"]["state"], rows["good"]["why"]) == ("failed", "")
        assert said in rows["bad"]["why"]
        assert secret.rpartition(":")[2] not in str(rows)
        history = command(group, "history").stdout
        assert rows["bad"]["why"].startswith("bad: ")  # who it is of stands there once
        assert rows["bad"]["why"].removeprefix("bad: ") in " ".join(history.split())
        assert "bad" in command(group, "status").stdout


@pytest.mark.parametrize(
    ("zone_id", "left", "said"),
    [
        (cloudflare_dns.ZONE_ID, 0, "ask again in"),
        ("0" * 32, None, "compare zone, zone_id and server"),
    ],
    ids=["rate-limited", "wrong zone"],
)
def test_an_api_that_will_not(knot, tmp_path, zone_id, left, said):
    account = CloudflareDns()
    account.left = left
    with served(account.app()) as url:
        fields = {"kind": "cloudflare", "api": f"{url}/client/v4", "zone_id": zone_id}
        fields["name_servers"] = f'["{knot.server}"]'
        with member_of(tmp_path, knot.server, fields, cloudflare_dns.TOKEN) as group:
            rows = until(lambda: bad_row(group), max_s=60, what="one is in force, one has failed")
            assert said in rows["bad"]["why"]


def test_a_resolver_that_is_silent_holds_up_nothing(tmp_path):
    with (
        knots.knot() as knot,  # of their own: what is watched is a change
        knots.knot() as other,
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as silent,
    ):
        silent.bind(("127.0.0.1", 0))  # what is asked there is never read
        resolver = f"127.0.0.1:{silent.getsockname()[1]}"
        with member_of(
            tmp_path, knot.server, at(other.server), knots.KEY, resolvers=f'"{resolver}"'
        ) as group:

            def told():
                rows = (group.status("m1") or {}).get("dns", ())
                return rows if rows and all(each["resolvers"] for each in rows) else None

            for row in until(told, max_s=60, what="it is said of both providers"):
                assert (row["state"], row["why"]) == ("in force", "")
                assert f"{resolver} does not answer within 2 s" in row["resolvers"]
                assert "the change itself is not touched" in row["resolvers"]
            for server in (knot.server, other.server):
                query = dns.message.make_query(NAME, "A")
                answer = dns.query.udp(query, server.host, port=server.port, timeout=30.0)
                assert [each.to_text() for each in answer.answer[0]] == ["192.0.2.1"]
            shown = command(group, "status")
            assert shown.returncode == 0
            assert f"{resolver} does not answer" in shown.stdout


def test_servers_of_one_provider_that_do_not_agree(knot, other, tmp_path):
    """What is updated is one of its servers; another one answers as before."""
    with knots.knot() as stale:
        fields = at(other.server)
        fields["name_servers"] = f'["{other.server}", "{stale.server}"]'
        told_of(split=fields, good=knot.server, directory=tmp_path)


def told_of(split, good, directory):
    with member_of(directory, good, split, knots.KEY) as group:
        rows = until(lambda: bad_row(group), max_s=60, what="one is in force, one has failed")
        assert "resolvers get either" in rows["bad"]["why"]

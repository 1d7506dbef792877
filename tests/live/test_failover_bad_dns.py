"""A DNS provider that is not as it should be: status says why, and the other one is switched."""

import pytest

from tests.support import cloudflare_dns, knots
from tests.support.cloudflare_dns import CloudflareDns
from tests.support.failover_dns_group import command, member_of
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
        assert rows["bad"]["why"] in " ".join(history.split())
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

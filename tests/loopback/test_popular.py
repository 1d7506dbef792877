"""What a node of two workers learns from its players, and tells its operator."""

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from amaro.cli import app
from tests.support.edge_node import DEADLINE_S, TOKEN, decoded, edge_node, eventually
from tests.support.edges import response, running_origin

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148"
FIRST, SECOND = "k3jd72lqafh5xz7a", "bbbbbbbbbbbbbbbb"
ASKED = {FIRST: 12, SECOND: 6}


async def script(asked, writer):
    assert b"CMCD" not in asked.target
    status = "404 Not Found" if b"missing" in asked.target else "200 OK"
    writer.write(response(b"x" * 1000, "Cache-Control: max-age=600", status=status))


def ask(node, story, number, **fields):
    told = f"/v/{story}/1.m4s?CMCD=bl%3D4000%2Cmtp%3D5000%2Csid%3D%22{number}%22"
    if story == FIRST and number % 2:
        fields["X-ASN"] = "64500"
    fields["X-Forwarded-For"] = f"{'192.0.2' if story == FIRST else '198.51.100'}.{number}"
    node.get(told, headers={"User-Agent": PHONE} | fields)


def near(share):
    """A share, but for what has decayed since the first requests on a slow machine."""
    return pytest.approx(share, abs=0.03)


def popular(node, query=""):
    return decoded(node.admin("GET", f"/popular{query}"))


async def test_what_players_watch(tmp_path):
    table = tmp_path / "networks.csv"
    table.write_text("network,asn\n198.51.100.0/24,AS64501\n")
    async with running_origin(script) as origin:
        options = ("--trusted-proxy", "127.0.0.0/8", "--region-header", "X-Country")
        options = (*options, "--network-header", "X-ASN", "--network-table", str(table))
        with edge_node(origin.url, *options, workers=2) as node:
            await asyncio.to_thread(check, node)


def check(node):
    assert popular(node)["top"] == []  # and now both workers know the salt
    for story, count in ASKED.items():
        for number in range(count):
            ask(node, story, number)
    for number in range(3):
        ask(node, SECOND, number, **{"X-Country": "DE"})
        node.get("/v/k3jd72lqafh5xz7a/missing.m4s")
        node.get("/feed/north")

    def heard():
        said = popular(node)
        rates = {each["story"]: each["share"] for each in said["top"]}
        return rates == {FIRST: near(12 / 21), SECOND: near(9 / 21)}

    eventually(heard, "all requests are heard")
    said = popular(node, "?region=north&limit=1")
    assert said["regions"] == ["north", "de"]
    assert [each["story"] for each in said["top"]] == [FIRST]
    assert said["objects"][0]["object"] == f"{node.url}/v/{FIRST}/1.m4s"
    assert [*said["devices"]] == ["phone"]
    assert said["hours"][0]["buffer_length_ms"]["p50"] == 3000
    assert [each["story"] for each in popular(node, "?region=de")["top"]] == [SECOND]
    assert {each["network"] for each in said["networks"]} == {"as64500", "as64501", "other"}
    assert [each["network"] for each in popular(node, "?region=de")["networks"]] == ["other"]
    counts = popular(node, "?counts")["counts"]
    assert counts["north"]["recent"]["leading"][0][0] == FIRST
    check_top(node)
    check_top_on_a_terminal(node)
    for word in ("127.0.0.1:1", "192.0.2", "iPhone", "sid"):
        assert word not in json.dumps(said["hours"])
    assert node.admin("GET", "/popular", token=None).status_code == 401
    for limit in ("0", "201", "-1", "x", "9" * 5000):
        assert node.admin("GET", f"/popular?limit={limit}").status_code == 400
    assert b"amaro_edge_samples_lost_total 0.0" in node.admin("GET", "/metrics").content


def amaro_top(*argv):
    """What `amaro top` prints, and how it ends."""
    environment = {"AMARO_ADMIN_TOKEN": TOKEN, "COLUMNS": "200"}
    return CliRunner().invoke(app, ["top", *argv], env=environment)


def check_top(node):
    done = amaro_top("--admin", node.admin_url, "--json", "--limit", "1")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["edges"], said["missing"]) == (0, 1, [])
    found = {each["region"]: each for each in said["regions"]}
    assert [story["story"] for story in found["north"]["top"]] == [FIRST]
    assert found["north"]["top"][0]["share"] == near(12 / 18)
    assert [story["story"] for story in found["de"]["top"]] == [SECOND]
    networks = {each["network"] for each in found["north"]["networks"]}
    assert networks == {"as64500", "as64501", "other"}
    assert said["prewarm"]["on"] is False
    assert "AS64500" in amaro_top("--admin", node.admin_url, "--by", "network").stdout
    twice = amaro_top("--admin", node.admin_url, "--admin", node.admin_url, "--json")
    assert json.loads(twice.stdout)["regions"][0]["top"][0]["share"] == near(12 / 18)
    shown = amaro_top("--admin", node.admin_url, "--region", "de").stdout
    assert SECOND in shown
    assert FIRST not in shown
    nobody = "http://127.0.0.1:1"
    partly = amaro_top("--admin", node.admin_url, "--admin", nobody)
    assert (partly.exit_code, FIRST in partly.stdout) == (0, True)
    assert f"{nobody} did not answer" in partly.stderr
    done = amaro_top("--admin", nobody, "--json")
    assert (done.exit_code, json.loads(done.stdout)["missing"]) == (1, [nobody])


def check_top_on_a_terminal(node):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "amaro", "top", "--admin", node.admin_url]
    environment = os.environ | {"AMARO_ADMIN_TOKEN": TOKEN, "TERM": "xterm", "COLUMNS": "120"}
    done = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    try:
        shown, deadline, told = b"", time.monotonic() + DEADLINE_S, False
        while piece := read_some(ours, deadline):
            shown += piece
            if not told and shown.count(SECOND.encode()) >= 4:  # in two regions, drawn twice
                done.send_signal(signal.SIGINT)
                told = True
        assert (told, done.wait(DEADLINE_S)) == (True, 0), shown
    finally:
        done.kill()
        done.wait()
        os.close(ours)


def read_some(terminal, deadline):
    """What was written to a terminal, nothing once its program has ended or time is over."""
    ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
    try:
        return os.read(terminal, 65_536) if ready else b""
    except OSError:
        return b""

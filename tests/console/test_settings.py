"""What the console takes on its command line, and what it refuses with a reason."""

from __future__ import annotations

import pytest

from console.settings import ConsoleSettings, Edge, SettingsError, console_settings, parse_listen

ORIGIN = "http://127.0.0.1:8084"


def test_edges_keep_their_order_and_hosts_are_listed_once():
    settings = console_settings(["north=http://a:1", "south=http://b:2/", f"here={ORIGIN}"], ORIGIN)
    edges = (Edge(name="north", url="http://a:1"), Edge(name="south", url="http://b:2"))
    here = Edge(name="here", url=ORIGIN)
    assert settings == ConsoleSettings(edges=(*edges, here), origin=ORIGIN)
    assert settings.hosts() == ("http://a:1", "http://b:2", ORIGIN)


@pytest.mark.parametrize(
    ("edges", "origin", "named"),
    [
        ([], ORIGIN, "--edge"),
        (["http://a:1"], ORIGIN, "NAME=URL"),
        (["=http://a:1"], ORIGIN, "NAME=URL"),
        (["a b=http://a:1"], ORIGIN, "NAME=URL"),
        (["north=ftp://a:1"], ORIGIN, "ftp://a:1"),
        (["north=http://a:1/path"], ORIGIN, "/path"),
        (["north=http://user@a:1"], ORIGIN, "user@"),
        (["north=http://a:1; script-src *"], ORIGIN, "script-src"),
        (["north=http://a:1", "north=http://b:1"], ORIGIN, "same NAME"),
        (["north=http://a:1"], "127.0.0.1", "--origin"),
    ],
)
def test_what_cannot_work_is_refused_with_its_name(edges, origin, named):
    with pytest.raises(SettingsError, match=named):
        console_settings(edges, origin)


@pytest.mark.parametrize(
    ("text", "listen"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:0", ("::1", 0)), ("0.0.0.0:1", ("0.0.0.0", 1))],
)
def test_listen(text, listen):
    assert parse_listen(text) == listen


@pytest.mark.parametrize("text", ["", "8085", ":80", "host:", "host:http", "host:65536"])
def test_listen_refused(text):
    with pytest.raises(SettingsError, match="--listen"):
        parse_listen(text)


def test_admin_listeners_are_those_of_edges():
    settings = console_settings(["north=http://a:1"], ORIGIN, ["north=http://a:9"])
    assert settings.admins == (Edge(name="north", url="http://a:9"),)
    assert "http://a:9" not in settings.hosts()  # no page talks to it
    for wrong, named in (("south=http://a:9", "south"), ("http://a:9", "--edge-admin needs")):
        with pytest.raises(SettingsError, match=named):
            console_settings(["north=http://a:1"], ORIGIN, [wrong])

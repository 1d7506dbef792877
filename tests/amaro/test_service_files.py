"""`configs/services`: what is wrong is said with its place and remedy; the example is right."""

from pathlib import Path

import pytest

from amaro.service_files import ServiceFilesError, load_model, read_directory
from failover.model import Dependency, DnsKind, Model, ProbeKind

EXAMPLE = Path(__file__).parents[2] / "configs" / "services"

MEMBERS = """\
members:
  - {name: a, region: north, url: "http://127.0.0.1:1", provider: own}
  - {name: b, region: north, url: "http://127.0.0.1:2", provider: own}
providers:
  - {name: own, ours: true}
  - {name: cdn}
dns_providers:
  - {name: one, kind: own, provider: own, name_servers: [127.0.0.1:5300]}
  - {name: two, kind: own, provider: own, name_servers: [127.0.0.2:5300]}
"""
SERVICE = """\
service: media
targets:
  - name: first
    provider: cdn
    probes: [{name: up, kind: tcp, url: "tcp://127.0.0.1:1"}]
"""


def read(service: str = SERVICE, members: str = MEMBERS) -> Model:
    return load_model([("s", service.encode()), ("m", members.encode())])


def refusal(service: str = SERVICE, members: str = MEMBERS) -> tuple[str, ...]:
    with pytest.raises(ServiceFilesError) as error:
        read(service, members)
    return error.value.lines


def test_the_example_means_what_it_says():
    model = read_directory(EXAMPLE)
    media = next(each for each in model.services if each.name == "media")
    assert [each.name for each in media.targets] == ["cloudflare", "fastly", "edges"]
    assert media.targets[0].probes[-1].kind is ProbeKind.SEGMENT
    assert media.targets[0].capacity_mbps == 400_000
    assert media.detection.hold_off_s == 1_200.0
    assert media.dns is not None
    assert media.dns.ttl_suspect_s == 20
    assert model.regions == ("north", "south", "west")
    assert model.dns_providers[1].kind is DnsKind.RFC2136
    assert model.vantages[0].needs == Dependency(provider="hetzner")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("demnd: 3Gbit/s", "s:6:1: unknown key `demnd`; did you mean `demand`?"),
        (
            "demand: 3",
            "s:6:1: `demand`: a bandwidth has a unit: 40Mbit/s, 500kB/s or 5MiB/s, not 3",
        ),
        ("detection: {fal: 3}", "s:6:13: unknown key `fal`; did you mean `fall`?"),
        ("detection: {interval: 0s}", 's:6:13: `interval`: want more than 0s, not "0s"'),
        (
            "detection: {interval_failing: 2s}",
            "s:6:1: `detection`: `interval_failing` is longer than `interval`",
        ),
        (
            "detection: {fall: 0}",
            "s:6:13: `fall`: input should be greater than or equal to 1, not 0",
        ),
        (
            "detection: {window: 2}",
            "s:6:1: `detection`: `window_failed` is more than `window`",
        ),
        (
            "detection: {fresh: 1s}",
            "`fresh` is shorter than two intervals: votes would come and go",
        ),
        (
            "steering: {server_uri: 'http://s/.amaro/steer', playlists: [/v/*]}",
            "s:3:5: `first` needs `pathway`, the host of players: there is `steering`",
        ),
        (
            "steering: {server_uri: 'ftp://s/', playlists: [/v/*]}",
            's:6:12: `server_uri`: want http://host or https://host, not "ftp://s/"',
        ),
        (
            "dns: {name: m.example., zone: example., providers: [one, two]}",
            "s:3:5: `first` needs `records`: the service has `dns`",
        ),
        (
            "dns: {name: m.example., zone: example., providers: [one, tow]}",
            "s:6:58: no DNS provider `tow` in the members' file; did you mean `two`?",
        ),
        (
            "dns: {name: m.example., zone: example., providers: [one]}",
            "s:6:41: `providers`: want 2 or more entries",
        ),
        (
            "dns: {name: m.other., zone: example., providers: [one, two]}",
            "s:6:1: `dns`: `m.other.` is not in the zone `example.`",
        ),
        (
            "dns: {name: m.example, zone: example., providers: [one, two]}",
            "`name`: want an absolute name, as media.example.org. with its dot",
        ),
        (
            "  - {name: b, provider: cdn, pathway: 'cdn.example:8443', probes: []}",
            "`pathway`: want a host without a port: players keep that of the playlist",
        ),
        ("routes: default", "`first` needs `route`, a base URL: the service has `routes`"),
        (
            '  - {name: first, provider: cdm, probes: [{name: up, kind: dns, host: "a."}]}',
            "s:6:19: no provider `cdm` in the members' file; did you mean `cdn`?",
        ),
        (
            '  - {name: first, provider: cdn, probes: [{name: up, kind: dns, host: "a."}]}',
            "s:6:6: a second `first`",
        ),
        ("  - {name: b, provider: cdn, probes: []}", "s:6:30: `probes`: want one entry or more"),
        (
            "  - {name: b, provider: cdn, probes: [{name: x, kind: dns}]}",
            "s:6:39: `probes`: a dns probe needs `host`, the name to resolve",
        ),
        (
            '  - {name: b, provider: cdn, probes: [{name: x, kind: http, url: "tcp://a:1"}]}',
            "s:6:39: `probes`: a http probe needs `url` with http:// or https://",
        ),
        (
            '  - {name: b, provider: cdn, probes: [{name: x, kind: http, url: "http://u:p@a"}]}',
            "`url`: want no user and no password in a URL; name a credential",
        ),
        (
            "  - {name: b, provider: cdn, records: [{type: A, values: ['::1']}], probes: []}",
            "s:6:40: `records`: `::1` is no IPv4 address",
        ),
    ],
)
def test_a_wrong_service_is_told_where_and_what_to_do(line, said):
    assert any(said in each for each in refusal(SERVICE + line + "\n")), refusal(SERVICE + line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "  - {name: three, kind: rfc2136, provider: own, name_servers: [127.0.0.1]}",
            "m:10:5: a rfc2136 provider needs `credential`",
        ),
        (
            "  - {name: three, kind: own, provider: own, name_servers: [ns.example]}",
            "want an address, as 192.0.2.53 or [2001:db8::53]:53; no name",
        ),
        ("credentials: [{name: k, provider: own}]", "want either `file` or `variable`"),
        (
            "channels: [{name: c, credential: k, provider: own}]",
            "m:10:22: no credential `k` in the members' file; known are none",
        ),
        ("accepted: [{what: host/x, on: cdm, why: because of it}]", "no provider `cdm`"),
        ("lease: redis://:secret@a", "`lease`: want no user and no password in a URL"),
        ("members: []", "`members` a second time; the first is in line 1"),
    ],
)
def test_a_wrong_members_file_is_told_where_and_what_to_do(line, said):
    assert any(said in each for each in refusal(members=MEMBERS + line + "\n")), refusal(
        members=MEMBERS + line
    )


def test_a_secret_is_not_repeated():
    assert "secret" not in "".join(refusal(members=MEMBERS + "lease: redis://:secret@a\n"))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            [("s", SERVICE)],
            "s:1:1: no file has `members:`; write one, members.yaml, beside this one",
        ),
        ([("m", MEMBERS)], "m:1:1: no service; write a file with `service:` beside this one"),
        (
            [("s", SERVICE), ("m", MEMBERS), ("n", MEMBERS)],
            "n:1:1: a second file with `members:`; m has them",
        ),
        ([("s", SERVICE), ("t", SERVICE), ("m", MEMBERS)], "t:1:1: a second `media`"),
        ([("x", "a: 1\n")], "x:1:1: want `service:` or `members:` in here"),
        ([("x", "- 1\n")], "x:1:1: want `service:` or `members:` in here"),
    ],
)
def test_files_together(texts, said):
    with pytest.raises(ServiceFilesError) as error:
        load_model([(name, text.encode()) for name, text in texts])
    assert said in error.value.lines


def test_an_empty_directory_is_told(tmp_path):
    with pytest.raises(ServiceFilesError, match=r"no \*\.yaml here"):
        read_directory(tmp_path)


def test_sqlite_leases_need_no_host():
    assert read(members=MEMBERS + "lease: sqlite:///var/lib/amaro/lease\n").lease_url


def test_a_group_of_origins_is_decided_by_one_service():
    def routed(name, group):
        text = SERVICE.replace("media", name).replace(
            "provider: cdn", 'provider: cdn\n    route: "http://127.0.0.1:1"'
        )
        return name, f"{text}routes: {group}\n".encode()

    members = ("m", MEMBERS.encode())
    load_model([routed("feed", "default"), routed("media", "films"), members])
    with pytest.raises(ServiceFilesError) as error:
        load_model([routed("feed", "default"), routed("media", "default"), members])
    assert error.value.lines == (
        "media:7:1: service `feed` decides the routes of `default` already",
    )


@pytest.mark.parametrize(
    ("line", "place"),
    [("", "s:1:1"), ("detection: {vantages_min: 3}", "s:6:13")],
)
def test_a_service_has_as_many_members_as_must_agree(line, place):
    alone = "".join(line for line in MEMBERS.splitlines(keepends=True) if "name: b" not in line)
    assert any(
        each.startswith(f"{place}: `vantages_min` is ") and "vantages_min: 1}" in each
        for each in refusal(SERVICE + line, alone)
    )
    read(SERVICE + "detection: {vantages_min: 1}", alone)

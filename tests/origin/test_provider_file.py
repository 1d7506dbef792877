"""The file of providers: read strictly, and it never shows a token."""

from __future__ import annotations

import pytest

from cache_policies.complaints import PolicyFileError
from origin.cloudflare import Cloudflare
from origin.fastly import Fastly
from origin.provider_calls import Site
from origin.provider_file import TokenSource, load_providers

GOOD = b"""\
providers:
  - name: front
    kind: cloudflare
    zone: 023e105f4ecef8ad9ca31a8372d0c353
    sites: [https://video.example, "https://WWW.video.example:8443/"]
    token: {env: CLOUDFLARE_TOKEN}
    batch: 100
  - name: second
    kind: fastly
    service: SU1Z0isxPaozGVKXdv0eY
    sites: [https://video.example]
    token: {file: /run/secrets/fastly}
"""


def all_there(_source: TokenSource) -> str | None:
    return None


def complaints(text: bytes) -> list[str]:
    with pytest.raises(PolicyFileError) as caught:
        load_providers(text, "p.yaml", why_no_token=all_there)
    return caught.value.lines()


def test_providers_are_read():
    first, second = load_providers(GOOD, "p.yaml", why_no_token=all_there)
    www = Site("https", "www.video.example:8443")
    assert first.adapter == Cloudflare(
        zone="023e105f4ecef8ad9ca31a8372d0c353",
        sites=(Site("https", "video.example"), www),
        batch=100,
    )
    assert (first.name, first.api) == ("front", "https://api.cloudflare.com")
    assert first.token == TokenSource(env="CLOUDFLARE_TOKEN")
    assert second.adapter == Fastly(
        service="SU1Z0isxPaozGVKXdv0eY", sites=(Site("https", "video.example"),)
    )
    assert second.token.file == "/run/secrets/fastly"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: fastly", "kind: akamai", "p.yaml:8:5: `kind`: want cloudflare or fastly"),
        ("    kind: fastly\n", "", "p.yaml:8:5: `kind`: want cloudflare or fastly"),
        ("batch: 100", "batch: 501", "p.yaml:7:5: `batch`: input should be less than or equal"),
        ("batch: 100", "batch: many", "p.yaml:7:5: `batch`: "),
        ("batch: 100", "bach: 100", "p.yaml:7:5: `bach`: unknown key"),
        ("    zone: 023e105f4ecef8ad9ca31a8372d0c353\n", "", "p.yaml:2:5: `zone`: is missing"),
        ("name: second", "name: front", "p.yaml:8:5: a second provider `front`"),
        ("name: second", "name: Second", "p.yaml:8:5: `name`: 1 to 32 characters"),
        ("{env: CLOUDFLARE_TOKEN}", "SECRET", "p.yaml:6:5: `token`: want {env: NAME}"),
        ("{env: CLOUDFLARE_TOKEN}", "{value: SECRET}", "p.yaml:6:13: `value`: unknown key"),
        ("{env: CLOUDFLARE_TOKEN}", "{}", "p.yaml:6:5: `token`: want either env or file"),
        ("{env: CLOUDFLARE_TOKEN}", "{env: a b}", "p.yaml:6:13: `env`: want the name of an env"),
        ("[https://video.example]", "[]", "p.yaml:11:5: `sites`: is empty"),
        ("[https://video.example]", "[video.example]", "p.yaml:11:13: `sites`: want https://host"),
        ("[https://video.example]", "['http://[']", "p.yaml:11:13: `sites`: want https://host"),
        ("batch: 100", "api: http://cdn.example", "p.yaml:7:5: `api`: want https: a token"),
    ],
)
def test_every_mistake_has_its_place(old, new, said):
    text = GOOD.decode()
    assert text.count(old) in (1, 2)
    at = text.rindex(old)
    lines = complaints((text[:at] + new + text[at + len(old) :]).encode())
    assert len(lines) == 1
    assert lines[0].startswith(said)
    assert "SECRET" not in lines[0]


def test_a_token_that_is_not_there_is_told():
    def missing(source: TokenSource) -> str | None:
        return "the file is gone" if source.file else None

    with pytest.raises(PolicyFileError) as caught:
        load_providers(GOOD, "p.yaml", why_no_token=missing)
    assert caught.value.lines() == ["p.yaml:12:5: `token`: the file is gone"]


def test_an_empty_file_says_what_to_write():
    assert complaints(b"") == ["p.yaml:1:1: write `providers:` and a list"]
    assert "`providers`: is missing" in complaints(b"x: 1")[0]


def test_only_a_stand_in_on_this_machine_is_asked_without_tls():
    text = GOOD.replace(b"batch: 100", b"api: http://127.0.0.1:8443/")
    assert load_providers(text, "p.yaml", why_no_token=all_there)[0].api == "http://127.0.0.1:8443"

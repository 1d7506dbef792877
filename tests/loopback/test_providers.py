"""Purges at providers in front, against stand-ins of their APIs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from amaro.cli import app
from origin.cloudflare import Cloudflare
from origin.distribution import NotToldError
from origin.fastly import Fastly
from origin.provider import Provider, why_no_token
from origin.provider_calls import Site
from origin.provider_file import ProviderSettings, TokenSource
from origin.purge_log import Batch, Logged, Wanted
from origin.purge_log import Kind as LogKind
from origin.settings import OriginSettings
from tests.support.origin import eventually, running_origin
from tests.support.providers import (
    HOST,
    SERVICE,
    TOKEN,
    ZONE,
    Bucket,
    CloudflareStandIn,
    FastlyStandIn,
    Said,
    StandIn,
    serving,
)

SITES = (Site("https", HOST),)
DEADLINE_S = 20.0

Make = Callable[..., Provider]


@pytest.fixture
def cloudflare() -> Iterator[CloudflareStandIn]:
    stand_in = CloudflareStandIn()
    with serving(stand_in):
        yield stand_in


@pytest.fixture
def fastly() -> Iterator[FastlyStandIn]:
    stand_in = FastlyStandIn()
    with serving(stand_in):
        yield stand_in


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.fixture
def provider(token_file: Path) -> Iterator[Make]:
    made: list[Provider] = []

    def make(
        stand_in: StandIn,
        *,
        behind: Callable[[int], bool] = lambda _: False,
        answer_s: float = DEADLINE_S,
    ) -> Provider:
        adapter = (
            Cloudflare(zone=ZONE, sites=SITES)
            if isinstance(stand_in, CloudflareStandIn)
            else Fastly(service=SERVICE, sites=SITES)
        )
        settings = ProviderSettings(
            name="front",
            api=stand_in.url,
            adapter=adapter,
            token=TokenSource(file=str(token_file)),
        )
        made.append(Provider(settings, edges_behind=behind, answer_s=answer_s))
        return made[-1]

    yield make
    for each in made:
        each.close()


def batch(*wanted: tuple[str, str, bool], after: int = 0, log: str = "a" * 16) -> Batch:
    purges = tuple(
        Logged(number, Wanted(LogKind(kind), value, soft))
        for number, (kind, value, soft) in enumerate(wanted, after + 1)
    )
    return Batch(log=log, after=after, purges=purges)


def tags(count: int, after: int = 0) -> Batch:
    return batch(*[("tag", f"tag-{no}", False) for no in range(after, count)], after=after)


def told(provider: Provider, what: Batch) -> list[str]:
    """Tell until it is done, as long as it says; return why it took more than once."""
    why = []
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            provider.tell(what)
        except NotToldError as error:
            why.append(str(error))
            time.sleep(error.retry_after_s or 0.1)
        else:
            return why
    raise TimeoutError(why)


def keep(stand_in: StandIn) -> None:
    for asset in ("a", "b"):
        for name in ("main.m3u8", "1.m4s"):
            stand_in.kept[f"https://{HOST}/v/{asset}/{name}"] = {f"asset-{asset}", "all-of-it"}


@pytest.mark.parametrize("kind", ["cloudflare", "fastly"])
def test_tags_and_urls_are_purged(kind: str, request: pytest.FixtureRequest, provider: Make):
    stand_in = request.getfixturevalue(kind)
    keep(stand_in)
    url = "http://10.0.0.5:8081/v/b/main.m3u8"
    told(provider(stand_in), batch(("tag", "asset-a", False), ("url", url, False)))
    assert list(stand_in.kept) == [f"https://{HOST}/v/b/1.m4s"]


@pytest.mark.parametrize("kind", ["cloudflare", "fastly"])
def test_everything_is_purged(kind: str, request: pytest.FixtureRequest, provider: Make):
    stand_in = request.getfixturevalue(kind)
    keep(stand_in)
    told(provider(stand_in), batch(("tag", "x", False), ("all", "", True)))
    assert (stand_in.kept, len(stand_in.asked)) == ({}, 1)


def test_cloudflare_purges_directories(cloudflare: CloudflareStandIn, provider: Make):
    keep(cloudflare)
    cloudflare.kept[f"https://{HOST}/v/ab/main.m3u8"] = set()
    told(provider(cloudflare), batch(("prefix", "/v/a/", False)))
    assert not [url for url in cloudflare.kept if "/v/a/" in url]
    assert len(cloudflare.kept) == 3


def test_what_cannot_be_done_is_told_and_holds_nothing_up(
    fastly: FastlyStandIn, provider: Make, caplog: pytest.LogCaptureFixture
):
    keep(fastly)
    front = provider(fastly)
    told(front, batch(("prefix", "/v/b/", False), ("tag", "asset-a", True)))
    assert (len(fastly.kept), len(fastly.stale)) == (4, 2)  # stale, and the rest is as it was
    assert "no purge by prefix" in caplog.text


def test_many_tags_take_few_calls(
    cloudflare: CloudflareStandIn, fastly: FastlyStandIn, provider: Make
):
    many = batch(*[("tag", f"tag-{no % 500}", False) for no in range(1_000)])
    told(provider(cloudflare), many)
    told(provider(fastly), many)
    assert (len(cloudflare.asked), len(fastly.asked)) == (17, 2)


def test_an_answer_without_end_is_given_up(cloudflare: CloudflareStandIn, provider: Make):
    cloudflare.next.append(Said(200, {"success": True}, delayed=1_000))
    with pytest.raises(NotToldError, match="ReadTimeout"):
        provider(cloudflare, answer_s=0.1).tell(tags(1))


def test_the_environment_names_no_proxy(
    cloudflare: CloudflareStandIn, provider: Make, monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody is
    monkeypatch.delenv("no_proxy", raising=False)
    keep(cloudflare)
    provider(cloudflare).tell(batch(("all", "", False)))
    assert not cloudflare.kept


def test_what_was_confirmed_is_not_asked_for_again(cloudflare: CloudflareStandIn, provider: Make):
    front = provider(cloudflare)
    cloudflare.next.extend(
        [Said(200, {"success": True}), Said(503, "<html>", {"retry-after": "0"})]
    )
    with pytest.raises(NotToldError, match="503"):
        front.tell(tags(60))
    told(front, tags(90))  # more has come meanwhile
    assert [len(each.body["tags"]) for each in cloudflare.asked] == [30, 30, 30, 30]
    assert cloudflare.asked[1].body == cloudflare.asked[2].body
    told(front, batch(("tag", "x", False), log="b" * 16))  # of another catalog
    assert cloudflare.asked[-1].body == {"tags": ["x"]}


@pytest.mark.parametrize("kind", ["cloudflare", "fastly"])
def test_a_rate_limit_is_kept(kind: str, request: pytest.FixtureRequest, provider: Make):
    stand_in = request.getfixturevalue(kind)
    stand_in.bucket = Bucket(2.0, 1.0)
    size = 30 if kind == "cloudflare" else 256
    why = told(provider(stand_in), tags(3 * size))
    assert why
    refused = len(stand_in.asked) - 3
    assert refused <= 1  # what it says in advance is heard: no call is made in vain, or one
    assert (
        len({key for each in stand_in.asked for key in next(iter(each.body.values()))}) == 3 * size
    )


def test_an_outage_of_any_kind_is_waited_out(fastly: FastlyStandIn, provider: Make):
    keep(fastly)
    fastly.next.extend([None, Said(503, {"msg": "down"})])
    why = told(provider(fastly), batch(("tag", "asset-a", False)))
    assert len(why) == 2
    assert "503: down" in why
    assert len(fastly.kept) == 2


@pytest.mark.parametrize("kind", ["cloudflare", "fastly"])
def test_one_that_is_refused_is_named_and_the_others_go_on(
    kind: str,
    request: pytest.FixtureRequest,
    provider: Make,
    caplog: pytest.LogCaptureFixture,
):
    stand_in = request.getfixturevalue(kind)
    keep(stand_in)
    adapter_sites = (Site("https", HOST), Site("https", "gone.example"))
    front = provider(stand_in)
    front._adapter = (
        Cloudflare(zone=ZONE, sites=adapter_sites)
        if kind == "cloudflare"
        else Fastly(service=SERVICE, sites=adapter_sites)
    )
    with caplog.at_level(logging.ERROR):
        told(front, batch(("url", "/v/a/main.m3u8", False), ("url", "/v/b/1.m4s", False)))
    assert len(stand_in.kept) == 2
    refused = [record.getMessage() for record in caplog.records]
    assert len(refused) == 2
    assert all("gone.example" in each for each in refused)


def test_a_token_is_read_when_it_is_needed_and_never_told(
    cloudflare: CloudflareStandIn,
    provider: Make,
    token_file: Path,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    front = provider(cloudflare)
    token_file.write_text("an-older-one")
    with pytest.raises(NotToldError, match="401: Authentication error") as denied:
        front.tell(tags(1))
    assert denied.value.retry_after_s == pytest.approx(30.0, abs=1.0)
    token_file.unlink()
    source = TokenSource(file=str(token_file))
    assert "cannot be read" in (why_no_token(source) or "")
    token_file.write_text("two words")
    assert "holds no token" in (why_no_token(source) or "")
    token_file.write_text(TOKEN)
    assert why_no_token(source) is None
    told(provider(cloudflare), tags(1))
    echo = {"success": False, "errors": [{"code": 1, "message": f"not you, {TOKEN}"}]}
    cloudflare.next.append(Said(503, echo))
    with pytest.raises(NotToldError) as later:
        provider(cloudflare).tell(tags(1))
    assert "not you, (token)" in str(later.value)
    assert TOKEN not in caplog.text


def test_edges_are_waited_for(cloudflare: CloudflareStandIn, provider: Make):
    looks: list[int] = []

    def behind(number: int) -> bool:
        looks.append(number)
        return len(looks) <= 3 and not cloudflare.asked

    told(provider(cloudflare, behind=behind), tags(1))
    assert looks == [1] * 5  # three times not yet, the call, and that it was all
    assert len(cloudflare.asked) == 1


def test_one_that_goes_down_asks_nothing_more(cloudflare: CloudflareStandIn, provider: Make):
    front = provider(cloudflare)
    front.close()
    with pytest.raises(NotToldError, match="going down"):
        front.tell(tags(1))
    assert cloudflare.asked == []


def settings_of(stand_in: StandIn, token_file: Path) -> ProviderSettings:
    adapter = Fastly(service=SERVICE, sites=SITES)
    token = TokenSource(file=str(token_file))
    return ProviderSettings(name="front", api=stand_in.url, adapter=adapter, token=token)


async def test_an_origin_purges_it_and_says_so_in_receipts(
    fastly: FastlyStandIn, token_file: Path, tmp_path: Path
):
    keep(fastly)
    fastly.next.append(Said(503, {"msg": "down"}))
    settings = OriginSettings(
        data=tmp_path, token="secret", providers=(settings_of(fastly, token_file),)
    )
    async with running_origin(settings) as client:
        client.headers["authorization"] = "Bearer secret"

        async def ordered(kind: str, value: str, order_id: str, *, soft: bool) -> dict[str, Any]:
            order = {"kind": kind, "values": [value] if value else [], "soft": soft, "id": order_id}
            receipt = (await client.post("/purges", json=order)).json()
            assert receipt["acknowledged"] is True  # by every edge: there is none
            (row,) = receipt["providers"]
            return row

        row = await ordered("tag", "asset-a", "1", soft=False)
        assert row["address"] == "front"
        await eventually(lambda: len(fastly.kept) == 2, "not purged")
        await eventually(lambda: len(fastly.asked) == 2, "not asked again")
        async with asyncio.timeout(DEADLINE_S):
            row = await ordered("tag", "asset-a", "1", soft=False)
            while not row["acknowledged"]:  # the same order under its id: how it stands now
                await asyncio.sleep(0.05)
                row = await ordered("tag", "asset-a", "1", soft=False)
        row = await ordered("prefix", "/v/b/", "2", soft=False)
        assert row["acknowledged"] is False
        assert "unsupported: Fastly has no purge by prefix" in row["error"]
        row = await ordered("all", "", "3", soft=True)
        assert "done hard" in row["note"]
        await eventually(lambda: not fastly.kept, "not everything is purged")


async def test_what_was_pending_when_an_origin_ended_is_purged_by_the_next(
    fastly: FastlyStandIn, token_file: Path, tmp_path: Path
):
    keep(fastly)
    await asyncio.to_thread(token_file.write_text, "wrong")
    settings = OriginSettings(
        data=tmp_path, token="secret", providers=(settings_of(fastly, token_file),)
    )
    async with running_origin(settings) as client:
        order = {"kind": "tag", "values": ["asset-a"], "soft": False}
        authorization = {"authorization": "Bearer secret"}
        receipt = await client.post("/purges", json=order, headers=authorization)
        assert receipt.json()["acknowledged"] is True
        assert receipt.json()["providers"][0]["acknowledged"] is False
        await eventually(lambda: bool(fastly.asked), "never asked")
    assert len(fastly.kept) == 4
    await asyncio.to_thread(token_file.write_text, TOKEN)
    async with running_origin(settings):
        await eventually(lambda: len(fastly.kept) == 2, "not purged")


def test_an_origin_refuses_a_file_of_providers_that_it_cannot_follow(tmp_path: Path):
    path = tmp_path / "providers.yaml"
    refused = CliRunner().invoke(app, ["origin", "serve", "--providers", str(path)])
    assert refused.exit_code == 2
    assert "No such file" in refused.stderr
    path.write_text("providers:\n  - name: front\n    kind: akamai\n")
    refused = CliRunner().invoke(app, ["origin", "serve", "--providers", str(path)])
    assert refused.exit_code == 2
    assert f"{path}:2:5: `kind`: want cloudflare or fastly" in refused.stderr.replace("\n", "")

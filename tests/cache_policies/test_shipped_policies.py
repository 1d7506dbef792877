"""The rules that come with the program: they load, and what they decide for each class of URL."""

from pathlib import Path

import pytest

from cache_policies.durations import render_duration
from cache_policies.explain import explain
from cache_policies.load import load_policies
from cache_policies.message import ResponseHead
from cache_policies.policies import compile_policies
from tests.support.responses import NOW_WALL, request
from tests.support.table import fields, table

FILE = Path(__file__).parents[2] / "configs" / "policies" / "amaro.yaml"
POLICIES = compile_policies(load_policies(FILE.read_bytes(), str(FILE)))
DIGEST = "0" * 32


@pytest.mark.parametrize(
    "case",
    table("""
    target                    status  response                          decision    key
    /v/a/main.m3u8?x=1        200     cc: max-age=60, sie=9, swr=600    1m 10m 9s   /v/a/main.m3u8
    /v/a/720p.m3u8            200     cc: max-age=2                     2s 10s 1d   /v/a/720p.m3u8
    /v/a/720p.m3u8            200     cc: max-age=9999                  1m 10s 1d   /v/a/720p.m3u8
    /v/a/poster.jpg           200     cc: max-age=60                    1m 10s 1d   /v/a/poster.jpg
    /v/a/DIGEST.m4s?CMCD=x&y  200     cc: max-age=31536000              365d 0s 7d  /v/a/DIGEST.m4s
    /v/a/DIGEST.mp4           200     cc: max-age=60 | set-cookie: a=b  set-cookie  /v/a/DIGEST.mp4
    /v/a/gone.m3u8            404     cc: max-age=2, swr=9              2s 0s 1d    /v/a/gone.m3u8
    /v/a/gone.m4s             404     cc: max-age=600                   5s 0s 7d    /v/a/gone.m4s
    /v/a/main.m3u8            503     cc: max-age=60                    policy      /v/a/main.m3u8
    /feed/n?u=1&limit=5       200     cc: max-age=5, swr=30             5s 30s 1d   /feed/n?limit=5
    /feed/n                   200     cc: max-age=600                   10s 30s 1d  /feed/n
    /api/assets/a             200     cc: max-age=60                    policy      -
    /uploads/secret           200     cc: max-age=60                    policy      -
    /else                     200     etag: x                           0s 0s 0s    /else
    /else?a=1                 200     cc: max-age=60                    1m 0s 0s    /else?a=1
"""),
    ids=str,
)
def test_each_class_of_url(case):
    asked = request(target=case["target"].replace("DIGEST", DIGEST))
    answer = ResponseHead(int(case["status"]), fields(case["response"]))
    made = explain(POLICIES, asked, answer, NOW_WALL)
    windows = (made.lifetime_s, made.stale_while_revalidate_s, made.stale_if_error_s)
    decided = made.why_not_stored or " ".join(map(render_duration, windows))
    assert decided == case["decision"]
    assert made.key.decode().removeprefix("http://h") == case["key"].replace("DIGEST", DIGEST)


def test_players_learn_nothing_of_the_servers_behind():
    policy = POLICIES.for_request(request(target="/v/a/main.m3u8"))
    assert {b"server", b"x-powered-by"} <= policy.stripped_response
    assert policy.stripped_request == {b"cookie"}

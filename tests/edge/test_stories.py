"""Paths, and the stories that they are about."""

import pytest

from edge.stories import STORY_MAX, story_of
from tests.support.table import table


@pytest.mark.parametrize("case", table("""
    path                                                          story
    /v/k3jd92lq0fh1xz7a/main.m3u8                                 /v/k3jd92lq0fh1xz7a
    /v/k3jd72lqafh5xz7a/main.m3u8                                 k3jd72lqafh5xz7a
    /v/k3jd72lqafh5xz7a/0123456789abcdef0123456789abcdef.m4s?a=b  k3jd72lqafh5xz7a
    /x/k3jd72lqafh5xz7a/hd/1.TS                                   k3jd72lqafh5xz7a
    /v/k3jd72lqafh5xz7a/poster.jpg                                -
    /films/one/720p/1.m4s                                         /films/one/720p
    /one.mp4                                                      /
    /feed/north?limit=12                                          -
    /v/k3jd72lqafh5xz7a/                                          -
    /                                                             -
"""), ids=str)  # fmt: skip
def test_story(case):
    assert (story_of(case["path"]) or "") == case["story"]


def test_a_name_is_bounded():
    assert story_of("/" + "x" * 999 + "/1.ts") == "/" + "x" * (STORY_MAX - 1)

"""What `amaro top` shows, on terminals of any width."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from amaro.popular_text import bar, head, number, page, percent, prewarmed
from tests.support.table import table

STORY = {"story": "k3jd72lqafh5xz7a", "title": "A day at the lake", "share": 0.75, "change": 1.0}
OTHER = {"story": "/b", "title": "", "share": 0.0123, "change": 2.5}
PREWARM = {"on": True, "used_bytes": 94 * 1024**2, "wasted_bytes": 6 * 1024**2}


def ranked(**parts):
    stories = [each | {"per_minute": each["share"] * 120} for each in (STORY, OTHER)]
    whole = {"region": "north", "per_minute": 120.0, "top": stories, "rising": [], "cold": []}
    network = whole | {"network": "as64500", "share": 0.75, "per_minute": 90.0}
    return whole | {"networks": [network]} | parts


def shown(found, width=100, *, by_network=False):
    text = io.StringIO()
    line = head(2, found, PREWARM)
    Console(file=text, width=width, color_system=None).print(
        page(found, by_network=by_network, head=line, width=width)
    )
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_a_region_on_a_wide_terminal():
    assert shown([ranked(rising=[OTHER | {"per_minute": 1.5}])]) == [
        "2 edges · 120 requests a minute · prewarming: 94% of 100 MiB used, 6 MiB wasted",
        "",
        "north  120 requests a minute",
        "     watched                                         share  a minute  change",
        "  1  A day at the lake  k3jd72lqafh5xz7a  █████████    75%        90",
        "  2  /b                                   ▏           1.2%       1.5  x 2.50",
        "  ↑  /b                                   ▏           1.2%       1.5  x 2.50",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("by_network", [False, True])
def test_figures_are_never_cut(width, by_network):
    lines = shown([ranked()], width, by_network=by_network)
    assert all(len(line) <= width for line in lines)
    assert any("75%" in line and "90" in line for line in lines)


def test_networks():
    told = " ".join(shown([ranked()], by_network=True)[4].split())
    assert told.startswith("1 AS64500 █████████ 75% 90 A day at the lake")
    [line] = shown([ranked(networks=[])], by_network=True)[3:]
    assert "no networks are known" in line


def test_nobody_watches():
    assert shown([])[-1] == "Nobody has watched anything yet."


@pytest.mark.parametrize("case", table("""
    on  used  wasted  said
    -   0     0       no prewarming
    y   0     0       prewarming: nothing to tell yet
    y   1024  0       prewarming: 100% of 1 KiB used, 0 B wasted
"""), ids=str)  # fmt: skip
def test_prewarming(case):
    told = {"used_bytes": int(case["used"]), "wasted_bytes": int(case["wasted"])}
    assert prewarmed({"on": bool(case["on"]), **told}) == case["said"]


def test_figures():
    assert [bar(share) for share in (0.0, 0.01, 0.5, 1.0, 2.0)] == [
        "", "▏", "█" * 6, "█" * 12, "█" * 12
    ]  # fmt: skip
    assert [number(each) for each in (0.04, 9.94, 9.96, 12_345.6)] == ["0.0", "9.9", "10", "12,346"]
    assert [percent(each) for each in (0.0123, 0.0996, 1.0)] == ["1.2%", "10%", "100%"]
    assert isinstance(head(1, [], PREWARM), Text)

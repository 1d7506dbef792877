"""Every runbook that an event or a document names is there, and says what one must know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from failover.events import RUNBOOKS, WAKES, Event, Happening
from failover.messages import of_event

ROOT = Path(__file__).parents[2]
BOOKS = ROOT / "docs" / "runbooks"
PARTS = ("What you see", "What the system has done", "What to check", "Commands", "How to undo")


@pytest.mark.parametrize("happening", Happening)
def test_what_wakes_somebody_leads_to_a_runbook(happening: Happening) -> None:
    event = Event(happening=happening, text="a is down", regions=("north", "*"))
    found = event.runbook
    if happening in WAKES:
        said = of_event(event).body
        assert said.startswith("a is down (north, DNS)\nCheck: ")
        assert said.endswith(f".\nRunbook: docs/runbooks/{found}.md")
    assert not found or (BOOKS / f"{found}.md").is_file()


def test_a_certificate_and_a_freeze_have_their_own() -> None:
    assert Event(happening=Happening.FELL, text="tls: the certificate ends").runbook == (
        "certificate-ends"
    )
    assert Event(happening=Happening.ORDERED, text="freeze: done").runbook == "frozen"


@pytest.mark.parametrize("path", sorted(BOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_a_runbook_says_what_one_must_know(path: Path) -> None:
    text = path.read_text()
    assert [part for part in PARTS if f"**{part}" not in text] == []
    assert re.fullmatch(r"[a-z-]+", path.stem)  # as the console's links have it


def test_every_runbook_named_anywhere_is_there() -> None:
    known = {path.stem for path in BOOKS.glob("*.md")}
    assert set(RUNBOOKS.values()) <= known
    sources = [*(ROOT / "failover").glob("*.py"), ROOT / "docs" / "failover.md"]
    text = "".join(path.read_text() for path in sources)
    named = re.findall(r'"runbook": "([a-z-]+)"|runbooks/([a-z-]+)\.md', text)
    assert {one or other for one, other in named} <= known

"""The diagram in the docs is the table's."""

from pathlib import Path

from failover.drawing import MEANINGS, SAID, page
from failover.quorum import Verdict
from failover.target_state import State

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_in_the_docs_is_up_to_date() -> None:
    assert (DOCS / "failover-states.md").read_text() == page(), (
        "write it anew: python -c 'from failover.drawing import page; print(page(), end=\"\")'"
    )


def test_every_state_and_verdict_has_words() -> None:
    assert set(MEANINGS) == set(State)
    assert set(SAID) == set(Verdict)

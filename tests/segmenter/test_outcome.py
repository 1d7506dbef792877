"""How a stage's work becomes a line of the journal."""

import pytest

from segmenter.facts import Refusal, RefusedError
from segmenter.outcome import (
    CANCELLED,
    GAVE_UP,
    MADE,
    NOT_INDEPENDENT,
    REFUSED,
    TOOL_ATTEMPTS_MAX,
    journalled,
)
from segmenter.package import NotIndependentError, PackageError
from segmenter.tools import CancelledWorkError, ToolError


@pytest.mark.parametrize(
    ("broken", "journal", "tries"),
    [
        (RefusedError(Refusal.NOT_MEDIA), {REFUSED: Refusal.NOT_MEDIA.value}, 1),
        (NotIndependentError("frame 7"), {NOT_INDEPENDENT: True}, 1),
        (CancelledWorkError(), {CANCELLED: True}, 1),
        (ToolError("ffmpeg: 1"), {REFUSED: GAVE_UP}, TOOL_ATTEMPTS_MAX),
        (PackageError("no moov"), {REFUSED: GAVE_UP}, TOOL_ATTEMPTS_MAX),
    ],
)
def test_what_ends_a_stage(broken, journal, tries):
    tried = []

    def work():
        tried.append(broken)
        raise broken

    assert journalled(work) == journal
    assert len(tried) == tries


def test_a_tool_that_breaks_once_is_forgiven():
    outcomes = [ToolError("ffmpeg: killed"), None]

    def work():
        if (error := outcomes.pop(0)) is not None:
            raise error
        return 7

    assert journalled(work) == {MADE: 7}


def test_trouble_of_the_world_stays_an_error():
    def work():
        raise ConnectionError("the store is away")

    with pytest.raises(ConnectionError):
        journalled(work)

"""What operators read: one line an event, with who says it, and no values of variables."""

import logging

import pytest

from edge.messages import configure


@pytest.fixture(autouse=True)
def as_it_was():
    """Leave logging as it was."""
    root, ours = logging.getLogger(), logging.getLogger("edge")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    root.handlers = []
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def test_a_line_says_when_how_bad_what_and_who(capsys):
    configure(worker=3)
    logging.getLogger("edge.node").info("certificates %s", "renewed")
    logging.getLogger("uvicorn.error").info("not for operators")
    logging.getLogger("uvicorn.error").warning("for them")
    ours, theirs = capsys.readouterr().err.splitlines()
    assert ours[4] == ours[7] == "-"
    assert ours[19:].split() == ["[info", "]", "certificates", "renewed", "worker=3"]
    assert theirs[19:].split() == ["[warning", "]", "for", "them", "worker=3"]


def test_a_traceback_keeps_values_to_itself(capsys):
    configure()
    try:
        secret = "-".join(["of", "a", "player"])
        raise ValueError(len(secret))
    except ValueError as error:
        logging.getLogger("edge.tasks").error("a background task broke", exc_info=error)
    told = capsys.readouterr().err
    assert "a background task broke" in told
    assert "ValueError: 11" in told
    assert "of-a-player" not in told
    assert "\x1b" not in told

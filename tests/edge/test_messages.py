"""What operators read: one line an event, with who says it, and no values of variables."""

import logging

import pytest

from edge.messages import configure

NAMES = ("", "edge", "edge.node", "edge.tasks", "uvicorn", "uvicorn.error")


@pytest.fixture(autouse=True)
def as_new():
    """Have loggers as in a new process, whatever was configured in this one; then as they were."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(log.handlers, log.level, log.propagate, log.disabled) for log in loggers]
    for log in loggers:
        log.handlers, log.propagate, log.disabled = [], True, False
        log.setLevel(logging.NOTSET)
    yield
    for log, (handlers, level, propagate, disabled) in zip(loggers, before, strict=True):
        log.handlers, log.propagate, log.disabled = handlers, propagate, disabled
        log.setLevel(level)


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

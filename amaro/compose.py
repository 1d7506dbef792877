"""Puts objects of several packages together; what belongs to one package is built there."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from amaro.stack import StackError
from origin.service import open_publisher
from segmenter.health import Health
from segmenter.worker import Worker

if TYPE_CHECKING:
    from origin.settings import OriginSettings
    from segmenter.worker import WorkerSettings

STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT})


def run_worker(
    *, origin: OriginSettings, worker: WorkerSettings, listen: tuple[str, int] | None
) -> None:
    """Work on the origin's uploads until a signal ends it; this call does not return."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # before any thread, so that all inherit it
    with open_publisher(origin) as publisher:
        working = Worker(worker, publisher)
        try:
            health = Health(*listen, working.is_ready) if listen else None
        except OSError as error:
            raise StackError(f"--listen: {error.strerror}; choose another address.") from error
        working.start()
        signal.sigwait(STOPS)
        if health:
            health.close()
        working.stop()
    os._exit(0)  # stages still running end with us, and so do their encoders; the journal knows

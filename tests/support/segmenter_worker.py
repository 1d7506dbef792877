"""A worker process for tests: `python -m tests.support.segmenter_worker ROOT [ATTEMPTS [VERSION]]`.

Its Publisher is a directory; it serves until it is killed.
"""

import os
import signal
import sys
from pathlib import Path

import structlog

from segmenter.worker import JOURNAL_VERSION, Worker, WorkerSettings
from tests.support.publisher import DirectoryPublisher

STOPS = {signal.SIGTERM, signal.SIGINT}


def jobs_url(root: Path) -> str:
    return f"sqlite:///{root}/jobs.sqlite"


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    root = Path(sys.argv[1])
    attempts = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    settings = WorkerSettings(
        jobs_url=jobs_url(root),
        work_dir=root / "work",
        attempts_max=attempts,
        retry_after_s=0.05,
        journal_version=sys.argv[3] if len(sys.argv) > 3 else JOURNAL_VERSION,
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # before any thread: all inherit it
    worker = Worker(settings, DirectoryPublisher(root))
    worker.start()
    print("ready", flush=True)
    signal.sigwait(STOPS)
    worker.stop()
    os._exit(0)  # as the command does: running stages end with their process


if __name__ == "__main__":
    main()

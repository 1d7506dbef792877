"""A real supervisor over toy workers: `python -m tests.support.toy_node SETTINGS [WORKER-ARG]`.

With the argument `real` its workers are real, too: a node with settings that have no option.
"""

from __future__ import annotations

import asyncio
import sys

from edge.keeper import WorkerError
from edge.listeners import ListenError
from edge.node import WORKER_COMMAND
from edge.settings import EdgeSettings
from edge.starting import serve


def started(settings: EdgeSettings) -> None:
    print(settings.to_json(), flush=True)


def main() -> None:
    settings = EdgeSettings.from_json(sys.argv[1])
    toys = (sys.executable, "-m", "tests.support.toy_worker", *sys.argv[2:])
    command = WORKER_COMMAND if sys.argv[2:] == ["real"] else toys
    try:
        asyncio.run(serve(settings, started=started, command=command))
    except (ListenError, WorkerError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

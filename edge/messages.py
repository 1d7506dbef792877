"""What the node's processes tell operators: one line an event, on standard error."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

STAMP = "%Y-%m-%d %H:%M:%S"


def configure(**about: Any) -> None:
    """Show messages of our own from INFO on, of libraries from WARNING; `about` ends each line.

    A traceback shows code, never the values of variables: those hold tokens and addresses.
    """

    def tell_about(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**event, **about}

    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt=STAMP, utc=False),
            tell_about,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("edge").setLevel(logging.INFO)

"""How a stage of a job can end, as values that survive in the journal of a durable job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import structlog
from pydantic import TypeAdapter

from segmenter.facts import RefusedError
from segmenter.package import NotIndependentError, PackageError
from segmenter.rendition import Packaged
from segmenter.stages import Plan, Previews
from segmenter.tools import CancelledWorkError, ToolError

log = structlog.get_logger("segmenter")

T = TypeVar("T")

MADE: Final = "made"
REFUSED: Final = "refused"
CANCELLED: Final = "cancelled"
NOT_INDEPENDENT: Final = "not independent"
GAVE_UP: Final = (
    "We tried several times to convert this video and could not. It may be damaged: "
    "please export it again, or upload it in another format."
)
NOT_KEPT: Final = (
    "We could not save this video: our storage was away for too long. Please upload it again later."
)
TOOL_ATTEMPTS_MAX: Final = 3  # what a media tool can't do, it seldom can a little later

Journal = dict[str, Any]  # {MADE: value} or {REFUSED: sentence} or {CANCELLED: True} …


class Written(Generic[T]):
    """A type's way into the journal and back: plain JSON values, so that releases can differ."""

    def __init__(self, kind: type[T]) -> None:
        self._adapter = TypeAdapter(kind)

    def write(self, value: T) -> Any:
        """Return the value as JSON types."""
        return self._adapter.dump_python(value, mode="json")

    def read(self, journal: Any) -> T:
        """Return the value that `write` wrote."""
        return self._adapter.validate_python(journal)


PLAN: Final = Written(Plan)
PACKAGED: Final = Written(Packaged)
PREVIEWS: Final = Written(Previews)


def journalled(work: Callable[[], Any]) -> Journal:
    """Do a stage's work and return how it ended.

    A media tool that breaks is tried again at once. Any other error stays one: the world (storage,
    catalog) is away, and the stage is done again later.
    """
    for attempt in range(1, TOOL_ATTEMPTS_MAX + 1):
        try:
            return {MADE: work()}
        except RefusedError as error:
            return {REFUSED: error.refusal.value}
        except NotIndependentError:
            return {NOT_INDEPENDENT: True}
        except CancelledWorkError:
            return {CANCELLED: True}
        except (ToolError, PackageError) as error:
            log.warning("a media tool broke", attempt=attempt, error=str(error))
    return {REFUSED: GAVE_UP}

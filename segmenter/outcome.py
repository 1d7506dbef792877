"""How a stage of a job can end, as values that survive in the journal of a durable job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter

from segmenter.facts import RefusedError
from segmenter.package import NotIndependentError
from segmenter.rendition import Packaged
from segmenter.stages import Plan, Previews
from segmenter.tools import CancelledWorkError

T = TypeVar("T")

MADE: Final = "made"
REFUSED: Final = "refused"
CANCELLED: Final = "cancelled"
NOT_INDEPENDENT: Final = "not independent"
GAVE_UP: Final = (
    "We tried several times to convert this video and could not. It may be damaged: "
    "please export it again, or upload it in another format."
)

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
    """Do a stage's work and return how it ended; an unexpected error stays one, and is retried."""
    try:
        return {MADE: work()}
    except RefusedError as error:
        return {REFUSED: error.refusal.value}
    except NotIndependentError:
        return {NOT_INDEPENDENT: True}
    except CancelledWorkError:
        return {CANCELLED: True}

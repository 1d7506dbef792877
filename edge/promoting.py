"""What a lower tier holds, as a fill takes it: judged anew, then read slice by slice."""

from collections.abc import Callable
from typing import Final

from cache_policies.message import Fields, RequestHead
from cache_policies.policies import Policies
from cache_policies.rejudge import judge_anew
from cache_policies.reuse import may_reuse
from cache_policies.stored import Stored, parse_length
from cache_policies.storing import NoStore
from cache_policies.why import Reuse
from edge.body import SLICE_BYTES
from edge.errors import StorageError, UpstreamError
from edge.tier import Held, Tier

REUSABLE: Final = frozenset({Reuse.FRESH, Reuse.STALE_WHILE_REVALIDATE, Reuse.STALE_ALLOWED})


def stored_form(held: Held, request: RequestHead, policies: Policies) -> Stored | None:
    """What `held` is under the policies of now; None when it may not be stored by them."""
    judged = judge_anew(
        request, held.head, held.times, policies, purge_sequence=held.purge_sequence
    )
    if isinstance(judged, NoStore) or parse_length(held.head) not in (None, held.length):
        return None
    return judged.stored


class HeldResponse:
    """A held response as a fill reads it: the first slice is verified before anybody sees a byte.

    What breaks after that breaks as an upstream does that is cut off.
    """

    def __init__(self, held: Held, first: bytes) -> None:
        self.status = held.head.status
        self.fields: Fields = held.head.fields
        self.times = held.times
        self.length: int | None = held.length
        self._held = held
        self._first: bytes | None = first
        self._slice_no = 0

    async def read(self) -> bytes:
        """The next slice, b"" at the end; raises UpstreamError."""
        if self._slice_no * SLICE_BYTES >= self._held.length:
            return b""
        data, self._first = self._first, None
        if data is None:
            try:
                data = await self._held.read(self._slice_no)
            except StorageError as error:
                self._held.drop()
                raise UpstreamError("truncated", str(error)) from None
        self._slice_no += 1
        return data

    def close(self) -> None:
        """Let go of what is held."""
        self._held.close()

    def drop(self) -> None:
        """Let go of it, and have the tier forget it."""
        self._held.drop()


async def find(
    tier: Tier, key: bytes, request: RequestHead, policies: Policies, now: Callable[[], float]
) -> tuple[Stored, HeldResponse] | None:
    """What `tier` holds that may answer `request` as it is; None when nothing does.

    `now` is the monotonic clock: it is read once the tier has answered.
    """
    held = await tier.find(key, request.fields)
    if held is None:
        return None
    stored = stored_form(held, request, policies)
    if stored is None:
        held.drop()
        return None
    if may_reuse(request, stored, policies.for_request(request), now()).reuse not in REUSABLE:
        held.close()
        return None
    try:
        first = await held.read(0) if held.length else b""
    except StorageError:
        held.drop()
        return None
    except BaseException:
        held.close()
        raise
    return stored, HeldResponse(held, first)

"""What a lower tier holds as it counts now, and as a fill reads it: slice by slice."""

from collections import deque
from dataclasses import replace
from typing import Final

from cache_policies.freshness import current_age_s
from cache_policies.message import Fields, RequestHead, ResponseHead
from cache_policies.partial import strong_etag
from cache_policies.policies import Policies
from cache_policies.rejudge import judge_anew
from cache_policies.stored import Stored, parse_length
from cache_policies.storing import NoStore
from edge.arena import SLICE_BYTES
from edge.errors import StorageError, UpstreamError
from edge.reading import Account
from edge.tier import Held

VERIFIED_MAX: Final = 16  # slices verified before the first is sent


def stored_form(held: Held, request: RequestHead, policies: Policies) -> Stored | None:
    """What `held` is under the policies of now; None when it may not be stored by them.

    Where they name other variants than those it was stored under, nobody knows whose this one is.
    """
    judged = judge_anew(
        request, held.head, held.times, policies, purge_sequence=held.purge_sequence
    )
    if isinstance(judged, NoStore) or judged.stored.vary != held.vary:
        return None
    return judged.stored if parse_length(held.head) in (None, held.length) else None


def expired_since(stored: Stored, purged_wall: float, now_wall: float, now_mono: float) -> Stored:
    """`stored` as a soft purge leaves it: stale from then on, and from now on at the latest."""
    since_s = max(0.0, now_wall - purged_wall)
    lifetime_s = max(0.0, current_age_s(stored, now_mono) - since_s)
    return replace(stored, lifetime_s=min(stored.lifetime_s, lifetime_s))


def combines_by(head: ResponseHead) -> bytes | None:
    """The tag by which slices of a response are known to be of the same bytes, if it has one."""
    return strong_etag(head) if head.status == 200 else None


class HeldResponse:
    """A held response as a fill reads it; what breaks does so like an upstream that is cut off.

    The rest then comes from the origin, where a strong validator tells that it is of the same
    bytes; without one all of a body that is not huge is verified before anybody sees a byte.
    """

    def __init__(self, held: Held, account: Account) -> None:
        self.head = held.head
        self.status = held.head.status
        self.fields: Fields = held.head.fields
        self.length: int | None = held.length
        self.is_sliced = held.is_sliced
        self._held = held
        self._account = account
        self._verified: deque[bytes] = deque()
        self._slice_no = 0

    async def begin(self, *, may_break: bool) -> None:
        """Have the first slice verified, or all that may not break later. Raises StorageError."""
        slices = -(-self._held.length // SLICE_BYTES)
        wanted = 1 if may_break or slices > VERIFIED_MAX else slices
        for slice_no in range(min(wanted, slices)):
            data = await self._held.read(slice_no)
            self._account.ahead(len(data))
            self._verified.append(data)

    async def read(self) -> bytes:
        """The next slice, b"" at the end; raises UpstreamError."""
        if self._slice_no * SLICE_BYTES >= self._held.length:
            return b""
        if self._verified:
            data = self._verified.popleft()
            self._account.ahead(-len(data))
        else:
            try:
                data = await self._held.read(self._slice_no)
            except StorageError as error:
                raise UpstreamError("truncated", str(error)) from None
        self._slice_no += 1
        return data

    def close(self) -> None:
        """Let go of what is held."""
        self._forget()
        self._held.close()

    def drop(self) -> None:
        """Let go of it, and have the tier forget it."""
        self._forget()
        self._held.drop()

    def _forget(self) -> None:
        while self._verified:
            self._account.ahead(-len(self._verified.pop()))

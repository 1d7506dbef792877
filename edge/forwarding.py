"""What of a request reaches an upstream, and what of its response counts as received."""

from email.utils import formatdate
from functools import lru_cache
from typing import Final

from cache_policies.key import without_tokens
from cache_policies.message import Fields, RequestHead, ResponseHead, end_to_end
from cache_policies.targeted import DEVICE
from edge.entry import IDENTITY, VIA
from edge.region_sequence import SEQUENCE

HOP: Final = b"amaro-hop"  # marks a fill that one worker asks of another; trusted on their socket
UPWARDS: Final = b";up"  # in it: other edges may wait for this fill, only those above may be asked
TOKEN: Final = b"amaro-region"  # what edges of a region know each other by

_CONDITIONS: Final = frozenset(
    {
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"range",
    }
)
_FRAMING: Final = frozenset({b"content-length", b"expect", b"host", HOP, TOKEN, SEQUENCE})
UNTRUSTED: Final = frozenset(  # a player may not say who it is, nor what it really asked
    {
        b"ali-cdn-real-ip",
        b"amaro-debug",
        b"base-url",
        b"cdn-src-ip",
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"client-ip",
        b"fastly-client-ip",
        b"forwarded",
        b"front-end-https",
        b"proxy",
        b"request-uri",
        b"surrogate-capability",
        b"true-client-ip",
        b"x-accel-mapping",
        b"x-azure-clientip",
        b"x-backend-host",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-envoy-external-address",
        b"x-envoy-original-path",
        b"x-forwarded",
        b"x-forwarded-by",
        b"x-forwarded-client-cert",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-method",
        b"x-forwarded-path",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-forwarded-protocol",
        b"x-forwarded-scheme",
        b"x-forwarded-server",
        b"x-forwarded-ssl",
        b"x-forwarded-uri",
        b"x-forwarded-user",
        b"x-host",
        b"x-host-override",
        b"x-http-destinationurl",
        b"x-http-host-override",
        b"x-http-method",
        b"x-http-method-override",
        b"x-http-path-override",
        b"x-method-override",
        b"x-middleware-subrequest",
        b"x-original-forwarded-for",
        b"x-original-host",
        b"x-original-method",
        b"x-original-uri",
        b"x-original-url",
        b"x-originating-ip",
        b"x-override-url",
        b"x-proxy-user-ip",
        b"x-real-ip",
        b"x-remote-addr",
        b"x-remote-ip",
        b"x-rewrite-url",
        b"x-scheme",
        b"x-script-name",
        b"x-sendfile-type",
        b"x-url-scheme",
        b"x-wap-profile",
    }
)
_NOT_FORWARDED: Final = UNTRUSTED | _FRAMING
_OF_THIS_CACHE: Final = (
    (b"via", VIA),
    (b"surrogate-capability", DEVICE + b'="Surrogate/1.0"'),  # Edge Architecture §2.1
)
_BETWEEN_US: Final = frozenset({HOP, SEQUENCE})
_TELEMETRY: Final = b"cmcd-"
FOR: Final = b"x-forwarded-for"  # a client's address, as the edge saw it


def cleaned(fields: Fields) -> Fields:
    """The end-to-end fields of a player's request that an origin may see.

    CGI and its heirs read `_` as `-`: a name with one is some other name in disguise.
    """
    return tuple(
        line for line in end_to_end(fields) if line[0] not in _NOT_FORWARDED and b"_" not in line[0]
    )


def unconditional(fields: Fields) -> Fields:
    """The fields of a request for the whole, current representation."""
    if _CONDITIONS.isdisjoint([name for name, _ in fields]):
        return fields
    return tuple(line for line in fields if line[0] not in _CONDITIONS)


def forwarded_fields(request: RequestHead, client: bytes, *, hop: bytes | None) -> Fields:
    """The fields to send upstream; a peer gets the hop marker, so that it asks nobody else."""
    own: Fields = ((HOP, hop),) if hop is not None else _OF_THIS_CACHE
    return (
        (b"host", request.host),
        *_untold(request.fields),
        *own,
        (FOR, client),
        (b"x-forwarded-proto", request.scheme),
    )


def _untold(fields: Fields) -> Fields:
    """The fields without what nobody but this edge is told."""
    if any(name == b"referer" and b"/~" in value for name, value in fields):
        return tuple([_without_token(line) for line in fields])
    return fields


def _without_token(line: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """A field line that tells no origin of the token with which a page was opened."""
    name, value = line
    return (name, without_tokens(value)) if name == b"referer" else line


def edge_fields(request: RequestHead, token: bytes, known: tuple[bytes, bytes]) -> Fields:
    """The fields to send to another edge: nothing of whom they are for, nor of how it plays there.

    `known` says which purges this edge knows.
    """
    return (
        (b"host", request.host),
        *(line for line in _untold(request.fields) if not line[0].startswith(_TELEMETRY)),
        (TOKEN, token),
        known,
        (b"x-forwarded-proto", request.scheme),
    )


def received_head(status: int, fields: Fields, now_wall: float, *, peer: bool) -> ResponseHead:
    """A response head as it is judged and passed on: end-to-end fields, and a Date in any case."""
    kept = tuple(line for line in end_to_end(fields) if line[0] not in _BETWEEN_US)
    if peer:  # it has already said what this edge will say again
        kept = tuple(line for line in kept if not _said_by_peer(line))
    if not any(name == b"date" for name, _ in kept):  # RFC 9110 §6.6.1
        kept = (*kept, (b"date", _date(int(now_wall))))
    return ResponseHead(status, kept)


@lru_cache(maxsize=4)  # 20 us a call
def _date(wall_s: int) -> bytes:
    return formatdate(wall_s, usegmt=True).encode()


def _said_by_peer(line: tuple[bytes, bytes]) -> bool:
    name, value = line
    return (name == b"via" and value == VIA) or (
        name == b"cache-status" and value.startswith(IDENTITY)
    )

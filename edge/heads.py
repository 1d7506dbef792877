"""Request heads: what is refused, what the hit path may answer, what only the slow path can."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cache_policies.key import cache_key
from cache_policies.message import TOKEN_BYTE, Fields, RequestHead
from cache_policies.policies import Policies
from cache_policies.vary import variant_key
from edge.forwarding import HOP, UNTRUSTED, cleaned
from edge.refusals import RefusedHeadError

VERSIONS: Final = frozenset({b"1.0", b"1.1"})
FIELDS_MAX: Final = 128  # field lines of one head
TAIL_KEPT_BYTES_MAX: Final = 4096  # of the field lines that a connection remembers
LINE_KEPT_BYTES_MAX: Final = 512
METHODS: Final = frozenset(  # all that the parser knows, but CONNECT and TRACE
    b"GET HEAD POST PUT PATCH DELETE OPTIONS ACL BIND CHECKOUT COPY LINK LOCK M-SEARCH MERGE "
    b"MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY PROPFIND PROPPATCH PURGE QUERY REBIND REPORT SEARCH "
    b"SOURCE SUBSCRIBE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split()
)

_OF_PROXIES: Final = frozenset(  # in all that comes through one; no answer depends on them
    b"forwarded x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto "
    b"x-real-ip".split()
)
SLOW: Final = (UNTRUSTED - _OF_PROXIES) | {  # a request with one of these fields goes the slow way
    b"authorization",
    b"cache-control",
    b"content-length",
    b"expect",
    b"if-match",
    b"if-unmodified-since",
    b"pragma",
    b"proxy-connection",
    b"transfer-encoding",
    b"upgrade",
    HOP,
}
SELECTING: Final = frozenset({b"if-modified-since", b"if-none-match", b"if-range", b"range"})

Line: TypeAlias = bytes | tuple[bytes, bytes]  # as HTTP/1.1 and HTTP/2 give it

_REQUEST_LINE = re.compile(rb"(" + TOKEN_BYTE + rb"+) ([^\x00-\x20\x7f]+) HTTP/([0-9]\.[0-9])")
_HOST = re.compile(  # a name has 253 characters at most (RFC 1035 §3.1)
    rb"(?:[A-Za-z0-9._~!$&'()*+;=%-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?"
)
FIELD_LINE = re.compile(rb"(" + TOKEN_BYTE + rb"+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_FIELD_NAME = re.compile(TOKEN_BYTE + rb"+:")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_SPAN = re.compile(rb"bytes=([0-9]{1,18})-([0-9]{1,18})")
NOT_OF_TARGETS: Final = bytes((*range(0x21), 0x7F, 0x23))  # controls, space, DEL, and #
_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#@]*)([/?].*)?")


def is_target(target: bytes) -> bool:
    """Whether `target` is in origin form, without a fragment or anything unprintable."""
    # half the time of a regular expression where CMCD makes it long
    return target[:1] == b"/" and len(target.translate(None, NOT_OF_TARGETS)) == len(target)


def read_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """The method, target and version (b"1.1" or b"1.0") of a request line, without its end.

    Raises RefusedHeadError, also for methods that nobody here knows.
    """
    read = _REQUEST_LINE.fullmatch(line)
    if read is None:
        versioned = line.rpartition(b" ")[2].startswith(b"HTTP/")
        raise RefusedHeadError("request-line" if versioned else "version")
    if read[3] not in VERSIONS:
        raise RefusedHeadError("version")
    if read[1] not in METHODS:
        raise RefusedHeadError("method")
    return read[1], read[2], read[3]


def read_fields(lines: list[bytes]) -> Fields:
    """The fields of a head's lines. Raises RefusedHeadError where their syntax is not exact."""
    if len(lines) > FIELDS_MAX:
        raise RefusedHeadError("fields-max")
    fields = []
    for line in lines:
        read = FIELD_LINE.fullmatch(line)
        if read is None:
            if line[:1] in (b" ", b"\t"):
                raise RefusedHeadError("folded-field")
            named = _FIELD_NAME.match(line) is not None
            raise RefusedHeadError("field-value" if named else "field-name")
        fields.append((read[1].lower(), read[2].rstrip(b" \t")))
    return tuple(fields)


def has_bare_line_end(head: bytes) -> bool:
    """Whether a CR or an LF stands alone: who takes it for a line's end reads another message."""
    ends = head.count(b"\r\n")
    return head.count(b"\n") != ends or head.count(b"\r") != ends


Wish: TypeAlias = tuple[int, int] | bytes
"""What is selected in the two plainest ways: a range, both ends inclusive, or all but one tag."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The one field line in which two heads of a connection differ: others will, too."""

    marker: bytes  # b"\r\nRange:", as the player writes it
    around: bytes  # the tail without the line
    number: int  # of the line


@dataclass(slots=True)
class Facts:
    """What the field lines of a request say; the same bytes always say the same."""

    tail: bytes  # those bytes, from the end of the request line on
    fields: Fields
    scheme: bytes
    method: bytes
    prefix: bytes  # of the cache key
    selecting: bool  # they ask for a part, or whether anything changed
    version: bytes = b"1.1"
    keep_alive: bool = True
    plain: bool = True  # the hit path may answer a GET or HEAD with them
    wish: Wish | None = None  # of a GET, when nothing else selects
    gap: Gap | None = None  # to the head before
    _variants: dict[tuple[bytes, ...], bytes] | None = None

    @property
    def host(self) -> bytes:
        """The authority as it is keyed, and thus forwarded: origins may build links with it."""
        return self.prefix[len(self.scheme) + 3 :]

    @property
    def request(self) -> RequestHead:
        """The request for decisions that do not read its target."""
        return RequestHead(self.method, self.scheme, self.host, b"", self.fields)

    def variant(self, vary: tuple[bytes, ...]) -> bytes:
        """The variant that they select under `vary`."""
        if not vary:
            return b""
        if self._variants is None:
            self._variants = {}
        known = self._variants.get(vary)
        if known is None:
            known = self._variants[vary] = variant_key(vary, cleaned(self.fields))
        return known


_Read: TypeAlias = tuple[tuple[bytes, bytes], int, Wish | None]  # field, kind, what it wishes


class KnownLines:
    """Field lines by their bytes: most of a player's lines are the same in every request.

    Reading a head of known lines takes 3 us, the parser and `read_facts` take 14. Where only one
    line changes (a Range, CMCD, a tag) `again` takes one.
    """

    _HOST: Final = 1
    _SELECTING: Final = 1 << 20
    _OTHER: Final = 1 << 40

    def __init__(self, policies: Policies | None = None, lines_max: int = 4096) -> None:
        self._policies = policies or Policies.bare()
        self._is_slow = self._policies.is_slow if self._policies.has_slow else None
        self._lines_max = lines_max
        self._known: dict[Line, _Read] = {}
        self._prefixes: dict[tuple[bytes, bytes], bytes] = {}

    def facts(
        self, tail: bytes, lines: Sequence[Line], method: bytes, scheme: bytes
    ) -> Facts | None:
        """The facts of a plain request; None when it is not plain, or might be malformed.

        `tail` is what to know it by, b"" with HTTP/2.
        """
        known = self._known
        fields = []
        kinds = 0
        host = b""
        wish = None
        for line in lines:
            read = known.get(line)
            if read is None:
                read = self._learn(line)
            field, kind, wished = read
            if kind:
                kinds += kind
                if kind == self._HOST:
                    host = field[1]
                wish = wish or wished
            fields.append(field)
        if kinds >= self._OTHER or kinds & (self._SELECTING - 1) != 1 or len(fields) > FIELDS_MAX:
            return None
        if self._is_slow is not None and self._is_slow(method, tuple(fields)):
            return None
        prefix = self._prefixes.get((scheme, host)) or self._prefix(scheme, host)
        facts = Facts(tail, tuple(fields), scheme, method, prefix, kinds >= self._SELECTING)
        if kinds == self._HOST + self._SELECTING and method == b"GET":
            facts.wish = wish
        return facts

    def again(self, before: Facts, data: bytes) -> tuple[bytes, Facts] | None:
        """The request line and the facts of a head that fills the gap of the one before anew."""
        gap = before.gap
        if gap is None:
            return None
        at = data.find(gap.marker)
        end = data.find(b"\r\n", at + 2)
        rest = data[:at] + data[end:]
        if at < 0 or end - at > LINE_KEPT_BYTES_MAX or not rest.endswith(gap.around):
            return None
        line = data[at + 2 : end]
        field, kind, wish = self._known.get(line) or self._learn(line)
        if kind >= self._OTHER:
            return None
        number = gap.number
        fields = (*before.fields[:number], field, *before.fields[number + 1 :])
        if self._is_slow is not None and self._is_slow(before.method, fields):
            return None
        head = rest[: -len(gap.around)]
        # what else selects would be around the gap, and was there before
        selecting = kind != 0 or before.selecting
        facts = Facts(
            data[len(head) :], fields, before.scheme, before.method, before.prefix, selecting
        )
        if before.wish is not None and kind:
            facts.wish = wish
        return head, facts

    def _learn(self, line: Line) -> "_Read":
        text = line if isinstance(line, bytes) else b": ".join(line)
        match = FIELD_LINE.fullmatch(text)
        if match is None:
            return (b"", b""), self._OTHER, None
        name, value = match[1].lower(), match[2].rstrip(b" \t")
        wish = None
        if name == b"host":
            kind = self._HOST if _HOST.fullmatch(value) else self._OTHER
        elif name in SLOW or (name == b"connection" and value.lower() != b"keep-alive"):
            kind = self._OTHER
        elif name in SELECTING:
            kind, wish = self._SELECTING, _wish(name, value)
        else:
            kind = 0
        read = (name, value), kind, wish
        if len(text) <= LINE_KEPT_BYTES_MAX:
            if len(self._known) >= self._lines_max:
                self._known.clear()  # the lasting ones are back within a request
            self._known[line] = read
        return read

    def _prefix(self, scheme: bytes, host: bytes) -> bytes:
        if len(self._prefixes) >= self._lines_max:
            self._prefixes.clear()
        keyed = self._policies.host(scheme, host)
        prefix = self._prefixes[scheme, host] = cache_key(scheme, keyed, b"")
        return prefix


def _wish(name: bytes, value: bytes) -> Wish | None:
    """What a selecting field asks for, where that is plain to see."""
    if name == b"if-none-match":
        return value or None
    span = _SPAN.fullmatch(value) if name == b"range" else None
    if span is None or int(span[1]) > int(span[2]):
        return None
    return int(span[1]), int(span[2])


def gap_between(before: Facts, after: Facts) -> Gap | None:
    """The line in which two heads differ, when it is only one and nothing else has its name."""
    changed = [
        number
        for number, (one, other) in enumerate(zip(before.fields, after.fields, strict=False))
        if one != other
    ]
    if len(changed) != 1 or len(before.fields) != len(after.fields):
        return None
    number = changed[0]
    name = after.fields[number][0]
    if name == b"host" or [each for each, _ in (*before.fields, *after.fields)].count(name) != 2:
        return None
    lines = after.tail[2:-4].split(b"\r\n")
    line = lines.pop(number)
    marker = b"\r\n" + line[: len(name) + 1]
    return Gap(marker, b"\r\n%b\r\n\r\n" % b"\r\n".join(lines), number)


@dataclass(frozen=True, slots=True)
class Context:
    """What frames the field lines of a request: its first line, and where it arrived."""

    method: bytes
    version: bytes  # b"1.0" or b"1.1"
    scheme: bytes
    server: bytes  # the authority that stands in for an absent Host of HTTP/1.0


def read_facts(tail: bytes, fields: Fields, context: Context) -> Facts:
    """The facts of a head. Raises RefusedHeadError where RFC 9112 §3.2 demands it."""
    version, scheme = context.version, context.scheme
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) > 1 or (not hosts and version != b"1.0"):
        raise RefusedHeadError("host")
    host = hosts[0] if hosts else context.server
    if _HOST.fullmatch(host) is None:
        raise RefusedHeadError("host")
    names = {name for name, _ in fields}
    lengths = [value for name, value in fields if name == b"content-length"]
    if lengths and not (len(lengths) == 1 and _LENGTH.fullmatch(lengths[0])):
        raise RefusedHeadError("content-length")
    if b"transfer-encoding" in names:
        codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
        if codings != [b"chunked"] or version == b"1.0":
            raise RefusedHeadError("transfer-encoding")
        if lengths:
            raise RefusedHeadError("content-length")
    options = {
        option.strip(b" \t").lower()
        for name, value in fields
        if name == b"connection"
        for option in value.split(b",")
    }
    keep_alive = b"close" not in options and (version == b"1.1" or b"keep-alive" in options)
    plain = version == b"1.1" and names.isdisjoint(SLOW) and options <= {b"", b"keep-alive"}
    return Facts(
        tail=tail,
        fields=fields,
        scheme=scheme,
        method=context.method,
        prefix=cache_key(scheme, host, b""),
        selecting=not names.isdisjoint(SELECTING),
        version=version,
        keep_alive=keep_alive,
        plain=plain,
    )


def origin_form(method: bytes, target: bytes, facts: Facts) -> bytes:
    """The request target to key and forward: as sent, or the path of an absolute form."""
    if is_target(target):
        return target
    if target == b"*" and method == b"OPTIONS":
        return target
    if b"#" in target:
        raise RefusedHeadError("fragment")
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise RefusedHeadError("target")
    if cache_key(absolute[1], absolute[2], b"") != facts.prefix:
        raise RefusedHeadError("absolute-form")
    path = absolute[3] or b"/"
    return path if path.startswith(b"/") else b"/" + path


def joined_cookies(fields: Sequence[tuple[bytes, bytes]]) -> Fields:
    """The fields with one Cookie line at most: HTTP/2 may cut it into several (RFC 9113 §8.2.3)."""
    cookies = [value for name, value in fields if name == b"cookie"]
    if len(cookies) < 2:
        return tuple(fields)
    rest = [line for line in fields if line[0] != b"cookie"]
    return (*rest, (b"cookie", b"; ".join(cookies)))


def body_length(facts: Facts) -> int | None:
    """The length of the request's body in bytes, 0 without one, None when it is chunked."""
    for name, value in facts.fields:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            return int(value)
    return 0


def expects_continue(facts: Facts) -> bool:
    """Whether the player waits for a word before it sends its body (RFC 9110 §10.1.1)."""
    return any(name == b"expect" and v.lower() == b"100-continue" for name, v in facts.fields)

"""Whom a request is from, and how many connections each of them has."""

from collections import Counter
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias

from cache_policies.message import Fields, field_lines, list_members
from cache_policies.provider_tags import ProviderKind

_Address: TypeAlias = IPv4Address | IPv6Address
_Network: TypeAlias = IPv4Network | IPv6Network

UNLIMITED: Final = 1 << 62
_MAPPED: Final = b"::ffff:"  # before an IPv4 address on a socket for both
_TOLD_IN: Final = frozenset({b"forwarded", b"x-forwarded-for"})  # for whom a proxy asks
_KNOWN: Final = ", ".join(ProviderKind)
CLIENT_BITS: Final = 64  # of an IPv6 address: the rest is the client's to choose


class TrustedProxies:
    """The networks whose hosts say truly for whom they ask; nobody else is believed."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Raises ValueError for what is no network, with the text.

        `cloudflare=10.0.0.0/8` is a network whose hosts are told of purge tags, too.
        """
        self._networks: list[_Network] = []
        self._providers: list[tuple[_Network, ProviderKind]] = []
        for text in networks:
            name, named, written = text.rpartition("=")
            network = ip_network(written, strict=False)
            self._networks.append(network)
            if named:
                self._providers.append((network, _provider(name)))

    @property
    def has_providers(self) -> bool:
        """Whether there is anybody to tell of tags."""
        return bool(self._providers)

    def provider(self, address: bytes) -> ProviderKind | None:
        """Which provider a connection comes from, None when it is from anybody else."""
        read = _read(address.decode("latin-1")) if self._providers else None
        if read is None:
            return None
        kinds = [kind for network, kind in self._providers if read in network]
        return kinds[0] if kinds else None

    def trusts(self, address: bytes) -> bool:
        """Whether a connection comes from such a proxy."""
        read = _read(address.decode("latin-1")) if self._networks else None
        return read is not None and self._has(read)

    def client(self, address: bytes, fields: Fields) -> bytes:
        """The client's address: the last one that no trusted proxy has, as they tell it.

        X-Forwarded-For and Forwarded (RFC 7239) are read from the right; what stands left of an
        untrusted address is that client's word. Where both fields are there and do not agree, one
        of them was not the proxy's, and neither counts.
        """
        address = address.removeprefix(_MAPPED)
        if not self._networks or not self.trusts(address):
            return address
        said = {
            self._last_untrusted(address, chain)
            for chain in (_forwarded_for(fields), _forwarded(fields))
            if chain
        }
        return said.pop() if len(said) == 1 else address

    def is_unclear(self, address: bytes, fields: Fields) -> bool:
        """Whether a trusted proxy says for whom it asks, but not in a way that holds."""
        told = any(name in _TOLD_IN for name, _ in fields)
        own = address.removeprefix(_MAPPED)
        return told and self.trusts(own) and self.client(address, fields) == own

    def _last_untrusted(self, address: bytes, chain: list[str]) -> bytes:
        found = address
        for text in reversed(chain):
            read = _read(text)
            if read is None:
                break  # "unknown", or an alias: whoever said so is as far as we see
            found = str(read).encode()
            if not self._has(read):
                break
        return found

    def _has(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


class ClientCounts:
    """Connections by client; an IPv6 client is its /64. Loopback is the operator's own machine."""

    def __init__(self, connections_max: int, proxies: TrustedProxies) -> None:
        self._connections_max = connections_max
        self.proxies = proxies
        self._counts: Counter[str] = Counter()

    def enter(self, address: bytes, *, unclear: bool = False) -> str | None:
        """Count a connection; return whom to give to `leave`, None for one that is not counted.

        All whose proxy is `unclear` about for whom it asks are one client of its address. Raises
        OverflowError when its client has too many.
        """
        read = _read(address.decode("latin-1"))
        if read is None:
            return None
        if not unclear and (read.is_loopback or self.proxies.trusts(address)):
            return None
        client = counted_as(read)
        if self._counts[client] >= self._connections_max:
            raise OverflowError
        self._counts[client] += 1
        return client

    def leave(self, client: str | None) -> None:
        """A connection has ended."""
        if client is not None:
            self._counts[client] -= 1
            if not self._counts[client]:
                del self._counts[client]

    def __len__(self) -> int:
        return len(self._counts)


def counted_as(address: _Address) -> str:
    """Who a client is to a limit: its IPv4 address, or the /64 of its IPv6 address."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, CLIENT_BITS), strict=False))


def _provider(name: str) -> ProviderKind:
    known = [kind for kind in ProviderKind if kind == name]
    if not known:
        raise ValueError(f"no provider {name!r}: want CIDR, or one of {_KNOWN}=CIDR")
    return known[0]


def client_name(address: bytes) -> bytes:
    """Who a client is to a limit; an address that is none is a client of that name."""
    read = _read(address.decode("latin-1"))
    return address if read is None else counted_as(read).encode()


def _read(text: str) -> _Address | None:
    """An address as X-Forwarded-For and Forwarded write it, perhaps with a port; None if none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _forwarded_for(fields: Fields) -> list[str]:
    lines = field_lines(fields, b"x-forwarded-for")
    return [member.decode("latin-1") for line in lines for member in list_members(line)]


def _forwarded(fields: Fields) -> list[str]:
    """The `for` of each element of Forwarded; "" where an element has none (RFC 7239 §4)."""
    chain = []
    for line in field_lines(fields, b"forwarded"):
        for element in list_members(line):
            pairs = [pair.partition(b"=") for pair in element.split(b";")]
            named = [value for name, _, value in pairs if name.strip().lower() == b"for"]
            chain.append(named[0].decode("latin-1") if len(named) == 1 else "")
    return chain

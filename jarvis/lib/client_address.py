"""The address of whoever calls, also behind proxies. `JARVIS_TRUSTED_PROXIES` says whose word is taken for it."""

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.http import HttpRequest

from jarvis.lib.config import config

UNIX = "unix"  # the address of whoever comes over a unix socket
IPV6_BUCKET_BITS = 64  # one household or server has so many bits of its own to change as it likes

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(source: HttpRequest | Mapping[str, Any]) -> str:
    """The client of a request or of an ASGI scope, as `192.0.2.7`, `2001:db8::7` or `unix`."""
    if isinstance(source, HttpRequest):
        peer, forwarded = source.META.get("REMOTE_ADDR") or UNIX, source.META.get("HTTP_X_FORWARDED_FOR", "")
    else:
        client = source.get("client")
        peer = client[0] if client and client[0] else UNIX
        values = [value for name, value in source.get("headers", ()) if name.lower() == b"x-forwarded-for"]
        forwarded = b",".join(values).decode("latin1")
    return resolve_client(peer, forwarded, config.trusted_proxies)


def resolve_client(peer: str, forwarded: str, trusted: Iterable[str]) -> str:
    """The client, where `peer` opened the connection and its header X-Forwarded-For says `forwarded`.

    Every proxy appends whom it heard, so the header is read from its end, and only as far as the proxies can be
    trusted: what stands left of the first stranger was written by the stranger. A word that is no address ends the
    reading too. So nobody can choose an address for themselves.
    """
    networks = parse_networks(tuple(trusted))
    found = str(parse_address(peer) or UNIX)
    for word in reversed(forwarded.split(",") if forwarded else ()):
        if not is_trusted(found, networks):
            break
        address = parse_address(word)
        if address is None:
            break
        found = str(address)
    return found


@lru_cache(maxsize=4096)
def rate_bucket(address: str) -> str:
    """What is counted as one client: an IPv4 address, a network of 64 bits in IPv6, or `unix`."""
    found = parse_address(address)
    return str(ip_network((found, IPV6_BUCKET_BITS), strict=False)) if isinstance(found, IPv6Address) else address


def is_trusted(address: str, networks: tuple[bool, tuple[Network, ...]]) -> bool:
    unix, known = networks
    if address == UNIX:
        return unix
    found = ip_address(address)
    return any(found in network for network in known)


@cache
def parse_networks(trusted: tuple[str, ...]) -> tuple[bool, tuple[Network, ...]]:
    """Whether unix sockets are trusted, and which networks. Raises ValueError for anything else."""
    return UNIX in trusted, tuple(ip_network(word, strict=False) for word in trusted if word != UNIX)


def parse_address(word: str) -> Address | None:
    """An address as proxies write it, with or without a port or brackets; IPv4 inside of IPv6 is IPv4."""
    word = word.strip().strip('"')
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        address = ip_address(word.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address

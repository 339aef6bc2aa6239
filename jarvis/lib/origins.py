"""Which pages are our own: one rule for forms, for the API by cookie and for sockets.

A browser names the page that sends something in the header Origin, without the port where it is the scheme's usual one.
What it asked for is in the header Host, as the last proxy wrote it: with or without that port, and often without a word
about TLS that ended on the way.
"""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from jarvis.lib.config import config
from jarvis.lib.hosts import LOOPBACK_NAMES

USUAL_PORTS = {"http": 80, "https": 443}


class Place(NamedTuple):
    """An origin, with the port that it means."""

    scheme: str
    name: str
    port: int


def is_own_origin(origin: str, host: str, *, secure: bool) -> bool:
    """Whether a page at `origin` is ours, where Jarvis was asked for under `host`; `secure`: and that was with TLS.

    A page without TLS may not act on a site with it, for anybody on the way can write such a page; there is nobody on
    the way to this machine itself. Without knowledge of TLS (no `JARVIS_SECURE`), both schemes are the site's own.
    """
    place = parse_origin(origin)
    if place is None:
        return False
    if is_trusted_origin(place, config.trusted_origins):
        return True
    asked = split_address(f"//{host}")
    if asked is None or (secure and place.scheme != "https" and place.name not in LOOPBACK_NAMES):
        return False
    return place.name == host_name(asked) and is_same_port(place, asked.port)


def is_same_port(place: Place, told: int | None) -> bool:
    """Whether a page's port is the one of Host. Where that is the usual one, Host may leave it out; and a proxy behind
    the one that ended TLS names its own, 80."""
    usual = place.port == USUAL_PORTS[place.scheme]
    return place.port == told or (usual and (told is None or (place.scheme, told) == ("https", 80)))


def is_trusted_origin(place: Place, trusted: Iterable[str]) -> bool:
    """Whether the origin is one of those in the configuration; `https://*.example.com` stands for all names below."""
    for word in trusted:
        known = parse_origin(word)
        if known is None or (known.scheme, known.port) != (place.scheme, place.port):
            continue
        if place.name == known.name or (known.name.startswith("*.") and place.name.endswith(known.name[1:])):
            return True
    return False


def parse_origin(origin: str) -> Place | None:
    """None for what is no origin of a page: `null`, addresses with a path or a user, other schemes."""
    parts = split_address(origin)
    if parts is None or parts.scheme not in USUAL_PORTS or not parts.hostname:
        return None
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    port = USUAL_PORTS[parts.scheme] if parts.port is None else parts.port
    return Place(parts.scheme, host_name(parts), port)


def split_address(address: str) -> SplitResult | None:
    """The parts of an address whose port is a number; None for any other."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return parts


def host_name(parts: SplitResult) -> str:
    return (parts.hostname or "").removesuffix(".")


def page_origin(address: str) -> str:
    """The origin of the page at an address, such as one in the header Referer."""
    parts = split_address(address)
    return f"{parts.scheme}://{parts.netloc}" if parts is not None else ""


def request_host(request: HttpRequest) -> str:
    """The host that was asked for; empty where it is not served here."""
    try:
        return request.get_host()
    except DisallowedHost:
        return ""

"""Names of hosts as people write them into the configuration, and as they stand in the header Host."""

import re
from ipaddress import IPv6Address, ip_address

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")  # as in Host
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")  # without brackets
EVERY_NETWORK = ("0.0.0.0", "::")
HOST = re.compile(r"\*|\.?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]")


def own_host(web_host: str) -> tuple[str, ...]:
    """The host under which `make run` shows its address, where it listens on one address alone."""
    try:
        address = ip_address(web_host)
    except ValueError:
        return (web_host,) if web_host and HOST.fullmatch(web_host) else ()
    if web_host in EVERY_NETWORK:
        return ()
    return (f"[{web_host}]" if isinstance(address, IPv6Address) else web_host,)


def find_host_fault(word: str) -> str:
    """What is wrong with a host name of the configuration, and how it is written; empty where nothing is."""
    if "://" in word:
        return f"{word!r} is an address: leave out the scheme, and any path"
    if any(sign.isspace() for sign in word):
        return f"{word!r} has a blank: separate names by commas"
    if "/" in word:
        return f"{word!r} has a path: leave it out"
    if word.startswith("*."):
        return f"{word!r} is written {word[1:]}: a dot in front stands for all names below"
    if is_ipv6(word):
        return f"{word!r} needs brackets: [{word}]"
    _name, colon, port = word.rpartition(":")
    if colon and not word.endswith("]") and port.isdigit():
        return f"{word!r} has a port: leave it out, every port is allowed"
    return "" if HOST.fullmatch(word) else f"{word!r} is no host name such as jarvis.example.com, no IP address"


def is_ipv6(word: str) -> bool:
    try:
        return isinstance(ip_address(word), IPv6Address)
    except ValueError:
        return False

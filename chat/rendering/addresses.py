"""Bare addresses in a text: where they end."""

import re
from unicodedata import category

from linkify_it import LinkifyIt

PUNCTUATION = frozenset(["Po", "Ps", "Pe", "Pi", "Pf"])
# Dots between names, which addresses of encyclopedias have in them.
PART_OF_WORDS = frozenset("·・‧")
MIXED_LABEL = re.compile(r"[a-z0-9-]+", re.IGNORECASE)
BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"))


class Addresses(LinkifyIt):  # type: ignore[misc]
    """Ends an address at punctuation that is not ASCII, such as a Chinese full stop, after which a text goes on."""

    def _validate_http(self, text: str, pos: int) -> int:
        return len(trim_address(text[pos : pos + super()._validate_http(text, pos)]))


def trim_address(address: str) -> str:
    """What belongs to an address, of what may stand in one; it begins with two slashes."""
    if address.isascii():
        return address
    host = re.split(r"[/?#]", address[2:], maxsplit=1)[0]
    label = host.rpartition(".")[2]
    if (found := MIXED_LABEL.match(label)) and "." in host and not label.startswith("xn--") and found[0] != label:
        return address[: 2 + len(host) - len(label) + found.end()]  # words that follow at once: example.com查看
    for place, char in enumerate(address):
        if not char.isascii() and category(char) in PUNCTUATION and char not in PART_OF_WORDS:
            return drop_half_brackets(address[:place]).rstrip(".,;:!?'\"")
    return address


def drop_half_brackets(address: str) -> str:
    for opening, closing in BRACKETS:
        if address.count(opening) > address.count(closing):
            address = address[: address.rindex(opening)]
    return address

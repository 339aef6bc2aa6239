"""Whole numbers in the queries of addresses."""

from collections.abc import Mapping

from jarvis.lib import api_errors

MAX_ROW_ID = 2**63 - 1  # of a BigAutoField


def parse_whole_number(text: str, most: int) -> int | None:
    """The number from 0 to `most` that the text writes in plain digits; None for any other text."""
    if not (text.isascii() and text.isdecimal() and len(text) <= max(20, len(str(most)))):
        return None
    number = int(text)
    return number if number <= most else None


def query_number(query: Mapping[str, str], name: str, *, default: int, most: int) -> int:
    """A parameter of an address as a number. Raises ApiError 400 with the parameter and its range."""
    number = parse_whole_number(query.get(name, str(default)), most)
    if number is None:
        raise api_errors.invalid_request(f"`{name}` must be a whole number from 0 to {most}.", name)
    return number

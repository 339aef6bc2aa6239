"""JSON as strict as storage and engine need it, read in one pass.

Refused, beyond what is not JSON: invalid UTF-8, NaN and Infinity, numbers beyond 64 bits, a name that comes twice in
one object (readers differ in which of the two they take), NUL characters and lone surrogates (Postgres stores neither).
"""

import json
import re
from typing import Any

from jarvis.lib.api_errors import invalid_request

INT64 = 2**63
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
ADVICE = "Send one JSON object, encoded as UTF-8."


class DuplicateName(ValueError):
    """An object names something twice."""


def unique_pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(items)
    if len(result) != len(items):
        names = [name for name, _ in items]
        raise DuplicateName(next(name for name in names if names.count(name) > 1))
    return result


def parse_whole_number(text: str) -> int:
    if len(text) > 20 or not -INT64 <= (value := int(text)) < INT64:
        raise ValueError(f"The number {text[:24]} is too large")
    return value


def parse_fraction(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"The number {text[:24]} is too large")
    return value


def refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a number in JSON")


_decode = json.JSONDecoder(
    object_pairs_hook=unique_pairs,
    parse_int=parse_whole_number,
    parse_float=parse_fraction,
    parse_constant=refuse_constant,
).decode


def parse_object(body: bytes) -> dict[str, Any]:
    """The object in `body`; ApiError (400) says what is wrong with it."""
    try:
        value = _decode(body.decode())
    except UnicodeDecodeError as error:
        raise invalid_request(f"The body is not valid UTF-8 at byte {error.start}. {ADVICE}") from None
    except json.JSONDecodeError as error:
        raise invalid_request(
            f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}. {ADVICE}"
        ) from None
    except DuplicateName as error:
        name = str(error)[:100]
        raise invalid_request(f"`{name}` is given twice. Give it once.", printable(name)) from None
    except RecursionError:
        raise invalid_request(f"The body is nested too deeply. {ADVICE}") from None
    except ValueError as error:
        raise invalid_request(f"{error}. {ADVICE}") from None
    if not isinstance(value, dict):
        raise invalid_request(f"The body is not a JSON object. {ADVICE}")
    if b"\\u0000" in body or SURROGATE.search(body):
        check_text(value, "")
    return value


def printable(name: str) -> str:
    """A name for an error body, whatever the client put into it."""
    return name.encode("utf-8", "replace").decode().replace("\0", "?")


def check_text(value: Any, path: str) -> None:
    """Refuse the first string, of any depth, that cannot be stored; `path` is where `value` lies."""
    if isinstance(value, str):
        if "\0" in value:
            raise invalid_request(f"`{path}` holds a NUL character. Remove it.", path)
        try:
            value.encode()
        except UnicodeEncodeError:
            text = f"`{path}` holds half of a surrogate pair. Send the whole character."
            raise invalid_request(text, path) from None
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = f"{path}.{printable(name)}".lstrip(".")
            check_text(name, inner)
            check_text(item, inner)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_text(item, f"{path}[{index}]")

"""The API key in the headers of a call, and what to say where there is none that could be read.

Names of headers are in lower case here. Blanks around a value do not belong to it (RFC 9110, 5.5), and no key has any.
"""

from collections.abc import Mapping

# Where clients of other services put their keys. None of them is read: a key that opens two headers has to be
# guarded in both.
FOREIGN_HEADERS = (
    "api-key",
    "apikey",
    "x-api-token",
    "x-auth-token",
    "x-access-token",
    "x-goog-api-key",
    "openai-api-key",
    "proxy-authorization",
)
FOREIGN_SCHEMES = ("basic", "digest", "token", "apikey", "api-key", "negotiate", "ntlm", "key", "hmac")


class Unauthenticated(Exception):
    """No key, or one that opens nothing."""


def keys_by_header(headers: Mapping[str, str]) -> dict[str, str]:
    """The keys that a call presents, by the names of the headers as people write them."""
    scheme, _, bearer = headers.get("authorization", "").strip().partition(" ")
    found = {"Authorization": bearer.strip() if scheme.lower() == "bearer" else ""}
    found["X-API-Key"] = headers.get("x-api-key", "").strip()
    return {name: key for name, key in found.items() if key}


def presents_key(headers: Mapping[str, str]) -> bool:
    """Whether a call is one by key. A browser behind a proxy with a password of its own sends that password along in
    `Authorization: Basic`, and is still a browser in which somebody is signed in."""
    scheme = headers.get("authorization", "").strip().partition(" ")[0].lower()
    return "x-api-key" in headers or scheme == "bearer"


def read_key(headers: Mapping[str, str]) -> str | None:
    """The key that a call presents, from `X-API-Key` or `Authorization: Bearer`; None where it presents none.

    Raises Unauthenticated where both are there and differ, since only one of them could be checked.
    """
    found = set(keys_by_header(headers).values())
    if len(found) > 1:
        raise Unauthenticated("Two different keys were given, in `Authorization` and in `X-API-Key`.")
    return found.pop() if found else None


def explain_unknown_key(headers: Mapping[str, str]) -> str:
    """What is said of a key that opens nothing; where its form tells why, that too. It never repeats the key."""
    [name, key], *_ = keys_by_header(headers).items()
    if key.lower().startswith("bearer "):
        return f"The API key in `{name}` begins with the word Bearer a second time."
    if key[0] in "\"'" or key[-1] in "\"'":
        return f"The API key in `{name}` is in quotation marks."
    return f"The API key in `{name}` is not known, has expired or was revoked."


def explain_missing_key(headers: Mapping[str, str]) -> str:
    """Which headers were looked at, and why no key was found there. It repeats none of their values."""
    if "authorization" in headers:
        words = headers["authorization"].split()
        scheme = words[0].lower() if words else ""
        if scheme in ("", "bearer"):
            return "`Authorization` is there, but holds no key."
        if scheme in FOREIGN_SCHEMES:
            return f"`Authorization` is of the scheme {words[0]}, and only Bearer is read."
        return "`Authorization` does not begin with the word Bearer and a blank."
    if "x-api-key" in headers:
        return "`X-API-Key` is there, but holds no key."
    foreign = next((name for name in FOREIGN_HEADERS if name in headers), None)
    return f"The header `{foreign}` is not read." if foreign else "No API key was given."

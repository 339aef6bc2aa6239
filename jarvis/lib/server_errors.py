"""Why a Postgres or Redis that was given cannot be used: what its library says, and what to do. Never a password."""

import re
from urllib.parse import unquote

HIDDEN = "***"
ENCODING = "in a password, @ : / ? # % are written %40 %3A %2F %3F %23 %25"
PREFIXES = re.compile(r"^(connection failed: |connection is bad: |FATAL: +)+")

Hints = list[tuple[re.Pattern[str], str]]


def _compile(hints: list[tuple[str, str]]) -> Hints:
    return [(re.compile(pattern, re.IGNORECASE), hint) for pattern, hint in hints]


COMMON = [
    (
        r"failed to resolve|could not translate host|name or service not known|no address associated|name resolution"
        r"|nodename nor servname|label (empty|too long)",
        f"correct the host; where the password has signs of its own: {ENCODING}",
    ),
    (r"connection refused|error 111", "start it, or correct host and port: nothing listens there"),
    (r"no such file or directory|error 2 ", "start it, or correct the path: there is no such socket"),
    (r"permission denied|error 13 ", "let the user that runs Jarvis use that socket"),
    (r"timeout|timed out|no route|unreachable", "see whether it runs, and whether a firewall is in between"),
    (r"certificate", "give the certificate's authority, or the name that the certificate is for"),
]
POSTGRES_HINTS = _compile(
    [
        (r"password authentication failed", f"correct user and password; {ENCODING}"),
        (r"no password supplied", "name user and password: postgresql://user:password@host/name"),
        (r"database .* does not exist", "make it, with `CREATE DATABASE`, or correct the name after the last /"),
        (r"role .* does not exist", "make that user, with `CREATE ROLE`, or correct its name"),
        (r"no pg_hba\.conf entry|authentication failed", "allow this host, user and database in its pg_hba.conf"),
        (r"too many (clients|connections)|connection slots", "raise its max_connections, or end other connections"),
        (r"does not support SSL", "add ?sslmode=disable, or switch TLS on there"),
        (r"starting up|shutting down|recovery mode", "wait a moment, and try again"),
        (r"extension .*vector.* (is not available|control file)", "install pgvector on its machine"),
        (r"permission denied to create extension", "run `CREATE EXTENSION vector` there once, as its superuser"),
        (r"permission denied|must be owner", "make this user the owner of the database: `ALTER DATABASE … OWNER TO …`"),
        (r"read-only transaction", "name the primary: this is a standby that only reads"),
        *COMMON,
    ]
)
REDIS_HINTS = _compile(
    [
        (r"invalid username-password|wrongpass|invalid password", f"correct the password; {ENCODING}"),
        (r"authentication required|noauth", "give its password: redis://:password@host:6379/0"),
        (r"without any password configured", "leave the password out: that server has none"),
        (r"db index is out of range", "correct the number after the last /: it has fewer databases"),
        (r"no permissions|noperm", "allow that user all commands and keys in its ACL"),
        (r"loading", "wait until it has loaded its data, and try again"),
        (
            r"wrong version number|record layer failure",
            "write redis:// in the place of rediss://: it speaks no TLS there",
        ),
        (r"connection closed by server|connection reset", "write rediss:// where it speaks TLS; else see its log"),
        (r"protocol error|invalid response", "correct host and port: what answers there is no Redis"),
        (r"misconf|read.?only", "see its log: it takes no writes"),
        *COMMON,
    ]
)


def explain_postgres(error: Exception, url: str) -> str:
    """One line: what happened, and what to do."""
    return _explain(error, url, POSTGRES_HINTS)


def explain_redis(error: Exception, url: str) -> str:
    """One line: what happened, and what to do."""
    return _explain(error, url, REDIS_HINTS)


def _explain(error: Exception, url: str, hints: Hints) -> str:
    said = PREFIXES.sub("", str(error).strip().partition("\n")[0]).strip().rstrip(".") or type(error).__name__
    hint = next((hint for pattern, hint in hints if pattern.search(said)), "")
    told = hide_password(said, url)
    return f"{told} ({hint})" if hint else told


def hide_password(text: str, url: str) -> str:
    """A text without the password of an address, as it stands there or decoded, whole or its part behind an @."""
    password = find_password(url)
    for secret in sorted({password, unquote(password), *password.split("@")[1:]}, key=len, reverse=True):
        if secret:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text


def find_password(url: str) -> str:
    """The password in an address, also in one that nobody can read as it was meant; empty where there is none."""
    found = re.match(r"[a-z+]+://[^:@/?]*:(.*)@", url, re.DOTALL)
    return found[1] if found else ""

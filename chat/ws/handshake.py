"""Who may open a socket: a page of ours with a session, or a program with an API key."""

from collections.abc import Mapping
from typing import Any

import structlog
from django.conf import settings
from django.http import parse_cookie
from django.http.request import split_domain_port, validate_host

from accounts.key_headers import presents_key
from accounts.models import Scope
from accounts.socket_auth import Pass, key_pass, session_pass
from jarvis.lib.client_address import client_address
from jarvis.lib.origins import is_own_origin

log = structlog.get_logger(__name__)


class ForeignOrigin(Exception):
    """A page of another site, or a name that this site does not have."""


class MayNotChat(Exception):
    """A key without the scope."""


def decode_headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin1").lower(): value.decode("latin1") for name, value in scope.get("headers", [])}


async def admit_handshake(scope: Mapping[str, Any]) -> Pass:
    """The pass of a handshake. Raises ForeignOrigin, MayNotChat or Unauthenticated.

    Browsers always send an Origin, and it must be this site, port and all: cookies are the same for all ports.
    Without one it is a program, which needs a key.
    """
    headers = decode_headers(scope)
    host, origin = headers.get("host", ""), headers.get("origin")
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        raise ForeignOrigin("This host name is not served here. See JARVIS_ALLOWED_HOSTS.")
    if origin is not None and not is_own_origin(origin, host, secure=scope.get("scheme") == "wss"):
        log.warning("socket.foreign_origin", origin=origin, host=host, variable="JARVIS_TRUSTED_ORIGINS")
        raise ForeignOrigin("A page of another site may not open this socket.")
    if origin is None or presents_key(headers):
        opened_by = await key_pass(headers, client_address(scope))
        if not opened_by.caller.has_scope(Scope.CHAT):
            raise MayNotChat
        return opened_by
    session = parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME)
    return await session_pass(session, client_address(scope))

"""The ASGI application: sockets to Channels, the API on a short stack, pages on Django's full one."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jarvis.settings")

import structlog
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application
from django.core.exceptions import RequestAborted

from jarvis.lib import gc_tuning, logs
from jarvis.lib.config import config
from jarvis.web import header_limits
from jarvis.web.body_timeout import BodyTooSlow, limit_body_time
from jarvis.web.cors import Cors
from jarvis.web.forwarded import Forwarded
from jarvis.web.request_body import list_codings, unpack_request

logs.set_up_logging("web")
pages = get_asgi_application()  # sets Django up, so what follows can import models

from chat.ws.routing import sockets  # noqa: E402
from jarvis.lib import api_errors  # noqa: E402
from jarvis.lib.api_errors import ApiError  # noqa: E402
from jarvis.web.api_handler import ApiHandler  # noqa: E402

api = ApiHandler()
ON_PAGES = ("/api/v1/", "/api/usage", "/api/schema/", "/api/docs/")  # REST resources are ordinary sync Django
if config.allow_anonymous:
    structlog.get_logger(__name__).warning("anonymous.allowed", variable="JARVIS_ALLOW_ANONYMOUS")


async def route_http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if header_limits.are_too_large(scope):
        await api.refuse(scope, send, api_errors.headers_too_large(header_limits.MAX_HEADER_BYTES))
        return
    path = scope["path"]
    app = api if path.startswith(ApiHandler.PREFIXES) and not path.startswith(ON_PAGES) else pages
    receive = limit_body_time(receive, config.web_request_seconds)
    try:
        if codings := list_codings(scope):
            scope, receive = await unpack_request(scope, receive, codings)
        await app(scope, receive, send)
    except BodyTooSlow:  # while the body was read, before there was any answer
        await api.refuse(scope, send, api_errors.request_timeout(config.web_request_seconds))
    except ApiError as error:  # while it was unpacked
        await api.refuse(scope, send, error)
    except RequestAborted:
        return


http = Cors(route_http, config.cors_origins) if config.cors_origins else route_http


async def websocket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if header_limits.are_too_large(scope):
        await send({"type": "websocket.close"})  # before it is accepted: the handshake is answered with 403
    else:
        await sockets(scope, receive, send)


# Who may open a socket is decided in `chat.ws.handshake`: channels' own validator knows no keys, and no ports.
doors = ProtocolTypeRouter({"http": http, "websocket": websocket})
application = Forwarded(doors) if config.secure else doors
gc_tuning.freeze_garbage()

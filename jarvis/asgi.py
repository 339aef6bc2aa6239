"""The ASGI application: sockets to Channels, the API on a short stack, pages on Django's full one."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jarvis.settings")

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

from jarvis import logs

logs.set_up("web")
pages = get_asgi_application()  # sets Django up, so what follows can import models

from chat.routing import websocket_urlpatterns  # noqa: E402
from jarvis.api import ApiHandler  # noqa: E402

api = ApiHandler()


async def http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    app = api if scope["path"].startswith(ApiHandler.PREFIXES) else pages
    await app(scope, receive, send)


application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)

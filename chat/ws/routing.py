"""Sockets and the consumers behind them."""

from typing import Any

from channels.routing import URLRouter
from channels.security.websocket import WebsocketDenier
from django.urls import path, re_path

from chat.ws.consumer import ChatConsumer

websocket_urlpatterns: list[Any] = [
    path("ws/chat/", ChatConsumer.as_asgi()),
    re_path("", WebsocketDenier.as_asgi()),  # a handshake for any other address gets 403
]
sockets = URLRouter(websocket_urlpatterns)

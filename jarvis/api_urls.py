"""Routes of the API; all of them are answered by `jarvis.web.api_handler.ApiHandler`."""

from django.urls import path

from accounts.models import Scope
from chat.api import simple as chat
from inference.api.http import api_route
from jarvis import health
from jarvis.lib.http import open_route

urlpatterns = [
    path("health", open_route(get=health.alive)),
    path("health/ready", open_route(get=health.ready)),
    path("api/status", api_route(Scope.MODELS, get=health.status)),
    path("api/chat", api_route(Scope.CHAT, post=chat.chat)),
    path("api/chat/stream", api_route(Scope.CHAT, post=chat.stream)),
    path("api/history", api_route(Scope.HISTORY, get=chat.history, delete=chat.clear_history)),
]

"""Routes of the OpenAI API, to be included under /v1/. None ends with a slash."""

from django.urls import path

from inference.api import openai_views

urlpatterns = [
    path("chat/completions", openai_views.chat_completions),
    path("models", openai_views.models),
    path("models/<path:model>", openai_views.model),
]

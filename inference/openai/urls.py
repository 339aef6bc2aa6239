"""Routes of the OpenAI API, to be included under /v1/. None ends with a slash."""

from django.urls import path

from inference.openai import views

urlpatterns = [
    path("chat/completions", views.chat_completions),
    path("models", views.models),
    path("models/<path:model>", views.model),
]

"""The chat page. It is whole without script, as far as reading goes; `chat/static/chat/` makes it live."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chat.models import Conversation, Message
from chat.prompt import preferences_of
from chat.strings import script_strings, suggestions
from inference.models import LanguageModel
from jarvis.config import config

LISTED = 100  # conversations in the sidebar
SHOWN = 200  # messages of a conversation, unless all are asked for


@never_cache
@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """A new chat."""
    return page(request, None)


@never_cache
@require_safe
@login_required
def conversation(request: HttpRequest, id: UUID) -> HttpResponse:
    """A conversation of one's own; 404 for any other."""
    found = Conversation.objects.of(user_id(request)).filter(id=id).first()
    if found is None:
        raise Http404(_("There is no such conversation."))
    return page(request, found)


def favicon(request: HttpRequest) -> HttpResponse:
    """What browsers ask for on pages that name no icon, such as the admin's."""
    return redirect(static("chat/icon.svg"))


def user_id(request: HttpRequest) -> int:
    assert request.user.pk is not None
    return request.user.pk


def page(request: HttpRequest, shown: Conversation | None) -> HttpResponse:
    models = list(LanguageModel.objects.offered())
    preferences = preferences_of(user_id(request))
    offered = [model.name for model in models]
    wanted = shown.model if shown and shown.model else preferences.model
    model = wanted if wanted in offered else offered[0] if offered else config.model_name
    limit = None if "all" in request.GET else SHOWN
    messages = list(messages_of(shown)[:limit])[::-1] if shown else []
    context: dict[str, Any] = {
        "conversation": shown,
        "conversations": Conversation.objects.of(user_id(request)).order_by("-updated_at")[:LISTED],
        "messages_shown": messages,
        "more": limit is not None and len(messages) == limit,
        "models": models,
        "model": model,
        "guide": model == "guide",
        "suggestions": suggestions(guide=model == "guide"),
        "strings": script_strings(),
        "max_chars": config.max_message_chars,
    }
    return render(request, "chat/page.html", context)


def messages_of(conversation: Conversation) -> QuerySet[Message]:
    """Newest first, each with its versions and what the page shows of its generation."""
    fields = [f"generation__{name}" for name in ("status", "error_code", "error_message", "finish_reason", "model")]
    messages = conversation.path().with_versions().select_related("generation")
    return messages.only("role", "text", "created_at", "client_key", "conversation_id", "parent_id", *fields)

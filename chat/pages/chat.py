"""The chat page. It is whole without script, as far as reading goes; `chat/static/chat/` makes it live."""

import json
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.authentication import build_caller
from chat.models import Conversation, Message
from chat.pages import messages as history
from chat.pages import sidebar
from chat.pages.strings import script_strings, suggestions
from chat.search import find_marks
from inference.models import LanguageModel
from jarvis.lib.config import MAX_SYSTEM_PROMPT_CHARS, config
from jarvis.lib.query import MAX_ROW_ID, parse_whole_number


@never_cache
@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """A new chat."""
    return render_page(request, None)


@never_cache
@require_safe
@login_required
def conversation(request: HttpRequest, id: UUID) -> HttpResponse:
    """A conversation of one's own; 404 for any other."""
    return render_page(request, get_own_conversation(request, id))


@never_cache
@require_safe
@login_required
def messages(request: HttpRequest, id: UUID) -> HttpResponse:
    """The messages of a conversation that come before a given one, as a piece of its page."""
    found = get_own_conversation(request, id)
    return render(request, "chat/messages.html", {"conversation": found, **message_context(request, found)})


@never_cache
@require_safe
@login_required
def source(request: HttpRequest, id: UUID, message: int) -> HttpResponse:
    """A message as it was written, to be copied."""
    found = Message.objects.for_user(user_id(request)).filter(conversation_id=id, pk=message).first()
    if found is None:
        raise Http404(_("There is no such message."))
    return HttpResponse(found.text, content_type="text/plain; charset=utf-8")


def get_own_conversation(request: HttpRequest, id: UUID) -> Conversation:
    found = Conversation.objects.for_user(user_id(request)).filter(id=id).first()
    if found is None:
        raise Http404(_("There is no such conversation."))
    return found


def message_context(request: HttpRequest, conversation: Conversation) -> dict[str, Any]:
    """A page of messages for the templates: the last one, or the one that ends before `?before=`."""
    before, hit = parse_message_id(request, "before"), parse_message_id(request, "message")
    if hit is not None and before is None and (found := conversation.messages.filter(pk=hit).first()):
        shown, earlier, elsewhere = history.page_around(found, conversation)
        return {
            "shown_messages": shown,
            "earlier": earlier,
            "before": "",
            "message_to_show": found.pk if elsewhere else "",
            "marked_message": found.pk,
            "marks": json.dumps(find_marks(user_id(request), found.text, request.GET.get("q", ""))),
        }
    shown, earlier = history.message_page(conversation, before)
    return {"shown_messages": shown, "earlier": earlier, "before": before or ""}


def parse_message_id(request: HttpRequest, name: str) -> int | None:
    """The id of a message in the query, None where it is left out. Raises Http404."""
    text = request.GET.get(name, "")
    number = parse_whole_number(text, MAX_ROW_ID)
    if text and number is None:
        raise Http404(_("There is no such message."))
    return number


def favicon(request: HttpRequest) -> HttpResponse:
    """What browsers ask for on pages that name no icon, such as the admin's."""
    return redirect(static("chat/icon.svg"))


def user_id(request: HttpRequest) -> int:
    assert request.user.pk is not None
    return request.user.pk


def format_plain_number(value: float | None) -> str:
    """A number for a field or a script, which is not to be written as the reader's language does."""
    return "" if value is None else f"{value:g}"


def render_page(request: HttpRequest, shown: Conversation | None) -> HttpResponse:
    assert isinstance(request.user, User)
    models = list(LanguageModel.objects.open_to(build_caller(request.user)))
    preferences = request.preferences  # type: ignore[attr-defined]
    offered = [model.name for model in models]
    wanted = shown.model if shown and shown.model else preferences.model
    model = wanted if wanted in offered else offered[0] if offered else config.model_name
    groups, next_page = sidebar.list_groups(user_id(request), shown)
    context: dict[str, Any] = {
        "conversation": shown,
        "groups": groups,
        "next_page": next_page,
        **(message_context(request, shown) if shown else {}),
        "models": models,
        "model": model,
        "guide": model == "guide",
        "suggestions": suggestions(guide=model == "guide"),
        "strings": script_strings(),
        "max_chars": config.max_message_chars,
        "preferences": preferences,
        "max_prompt_chars": MAX_SYSTEM_PROMPT_CHARS,
        "default_prompt": preferences.system_prompt or config.system_prompt,
        "temperature": format_plain_number(shown.temperature if shown else None),
        "default_temperature": format_plain_number(preferences.temperature),
        "default_word": _("the model's own"),
    }
    return render(request, "chat/page.html", context)

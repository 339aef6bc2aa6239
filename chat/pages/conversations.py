"""Pages of a person's collection: the list with its search, folders and archive, in pieces for the sidebar too."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chat import limits
from chat.models import Conversation, Message, Share
from chat.pages import messages as history
from chat.pages import sidebar
from chat.pages.strings import script_strings
from chat.search import HITS_PER_PAGE, MAX_HIT_OFFSET, asks_something, search_conversations
from jarvis.lib.config import config


@never_cache
@require_safe
@login_required
def conversations(request: HttpRequest) -> HttpResponse:
    """The collection as a page of its own; with `part`, the piece of it that the sidebar asks for."""
    assert request.user.pk is not None
    if request.GET.get("q") and (refusal := limits.check_limit(request, limits.search_limit())):
        return refusal
    match request.GET.get("part"):
        case None:
            return library(request, request.user.pk)
        case "list":
            return list_part(request, request.user.pk)
        case "folder":
            return folder_part(request, request.user.pk)
        case "search":
            return render(request, "chat/search_results.html", search_results(request, request.user.pk))
    raise BadRequest("No such part.")


def list_part(request: HttpRequest, user_id: int) -> HttpResponse:
    """From a place on, or the beginning again with as many as were listed before."""
    if before := parse_place(request):
        groups, next_page = sidebar.list_more(Conversation.objects.for_user(user_id).outside_folders(), before)
    else:
        current = parse_value(request, "current", UUID)
        shown = Conversation.objects.for_user(user_id).filter(id=current).first() if current else None
        listed = min(
            max(parse_value(request, "listed", int) or 0, sidebar.LIST_PAGE_CONVERSATIONS),
            sidebar.MAX_LISTED_CONVERSATIONS,
        )
        groups, next_page = sidebar.list_groups(user_id, shown, listed)
    return render(request, "chat/conversations.html", {"groups": groups, "next_page": next_page})


def folder_part(request: HttpRequest, user_id: int) -> HttpResponse:
    inside = Conversation.objects.for_user(user_id).in_folder(request.GET.get("folder", "").replace("\x00", ""))
    groups, next_page = sidebar.list_more(inside, parse_place(request))
    return render(request, "chat/folder.html", {"groups": groups, "next_page": next_page})


def library(request: HttpRequest, user_id: int) -> HttpResponse:
    mine = Conversation.objects.for_user(user_id)
    folder = request.GET.get("folder", "").replace("\x00", "")
    archived = "archived" in request.GET
    chosen = mine.archived() if archived else mine.filter(archived_at=None)
    chosen = chosen.filter(folder=folder) if folder else chosen
    groups, next_page = ([], "") if request.GET.get("q") else sidebar.list_more(chosen, parse_place(request))
    context = {
        "groups": groups,
        "next_page": next_page,
        "folders": mine.count_folders(),
        "folder": folder,
        "archived": archived,
        "shares": Share.objects.for_user(user_id).open().select_related("conversation").order_by("-id"),
        "strings": script_strings(),
        "import_bytes": config.import_bytes,
        "kept_days": config.retention_conversations_days,
        **search_results(request, user_id),
    }
    return render(request, "chat/library.html", context)


def search_results(request: HttpRequest, user_id: int) -> dict[str, Any]:
    """What a search gives, with the query of what comes after it."""
    text = request.GET.get("q", "")
    offset = min(max(parse_value(request, "offset", int) or 0, 0), MAX_HIT_OFFSET)
    hits = search_conversations(user_id, text, HITS_PER_PAGE + 1, offset) if text else []
    next_offset = (
        offset + HITS_PER_PAGE if len(hits) > HITS_PER_PAGE and offset + HITS_PER_PAGE <= MAX_HIT_OFFSET else None
    )
    return {
        "query": text,
        "hits": hits[:HITS_PER_PAGE],
        "next_offset": next_offset,
        "asks_nothing": not hits and not asks_something(text),
    }


def parse_place(request: HttpRequest) -> tuple[datetime, UUID] | None:
    """The place in a list from which on it is asked for. Raises BadRequest."""
    if "at" not in request.GET:
        return None
    at, id = parse_value(request, "at", parse_datetime), parse_value(request, "id", UUID)
    if at is None or at.tzinfo is None or id is None:
        raise BadRequest("No such place.")
    return at, id


def parse_value(request: HttpRequest, name: str, kind: Any) -> Any:
    """A value of the query, or None where it is left out. Raises BadRequest where it is not of its kind."""
    if not (text := request.GET.get(name, "")):
        return None
    try:
        return kind(text[:100])
    except ValueError:
        raise BadRequest(f"{name} is not in order.") from None


@never_cache
@require_safe
def show_shared(request: HttpRequest, token: str) -> HttpResponse:
    """What a link shows to anybody; 404 where it was withdrawn or never was."""
    share = Share.objects.open().filter(token=token).select_related("conversation__owner").first()
    if share is None:
        raise Http404(_("There is no such link."))
    owner = share.conversation.owner
    name = (owner.get_full_name() or owner.get_username()) if share.with_name else ""
    messages = share.messages()
    history.fill_html(messages)
    said = [
        Message(id=m.pk, role=m.role, text=m.text, html=m.html) for m in messages
    ]  # without generation and versions
    response = render(request, "chat/shared.html", {"share": share, "shown_messages": said, "name": name})
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response

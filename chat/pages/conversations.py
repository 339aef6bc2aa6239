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
from chat.api.resources import FURTHEST, HITS
from chat.models import Conversation, Message, Share
from chat.pages import messages as history
from chat.pages import sidebar
from chat.pages.strings import script_strings
from chat.search import search
from jarvis.lib.config import config


@never_cache
@require_safe
@login_required
def conversations(request: HttpRequest) -> HttpResponse:
    """The collection as a page of its own; with `part`, the piece of it that the sidebar asks for."""
    assert request.user.pk is not None
    if request.GET.get("q") and (refusal := limits.refusal(request, limits.searches())):
        return refusal
    match request.GET.get("part"):
        case None:
            return library(request, request.user.pk)
        case "list":
            return part_of_list(request, request.user.pk)
        case "folder":
            return part_of_folder(request, request.user.pk)
        case "search":
            return render(request, "chat/found.html", found(request, request.user.pk))
    raise BadRequest("No such part.")


def part_of_list(request: HttpRequest, user_id: int) -> HttpResponse:
    """From a place on, or the beginning again with as many as were listed before."""
    if before := place(request):
        groups, following = sidebar.more(Conversation.objects.of(user_id).dated(), before)
    else:
        current = whole(request, "current", UUID)
        shown = Conversation.objects.of(user_id).filter(id=current).first() if current else None
        listed = min(max(whole(request, "listed", int) or 0, sidebar.LISTED), sidebar.MOST_LISTED)
        groups, following = sidebar.groups(user_id, shown, listed)
    return render(request, "chat/conversations.html", {"groups": groups, "following": following})


def part_of_folder(request: HttpRequest, user_id: int) -> HttpResponse:
    inside = Conversation.objects.of(user_id).inside(request.GET.get("folder", "").replace("\x00", ""))
    groups, following = sidebar.more(inside, place(request))
    return render(request, "chat/folder.html", {"groups": groups, "following": following})


def library(request: HttpRequest, user_id: int) -> HttpResponse:
    mine = Conversation.objects.of(user_id)
    folder = request.GET.get("folder", "").replace("\x00", "")
    archived = "archived" in request.GET
    chosen = mine.archived() if archived else mine.filter(archived_at=None)
    chosen = chosen.filter(folder=folder) if folder else chosen
    groups, following = ([], "") if request.GET.get("q") else sidebar.more(chosen, place(request))
    context = {
        "groups": groups,
        "following": following,
        "folders": mine.folders(),
        "folder": folder,
        "archived": archived,
        "shares": Share.objects.of(user_id).open().select_related("conversation").order_by("-id"),
        "strings": script_strings(),
        "import_bytes": config.import_bytes,
        "kept_days": config.retention_conversations_days,
        **found(request, user_id),
    }
    return render(request, "chat/library.html", context)


def found(request: HttpRequest, user_id: int) -> dict[str, Any]:
    """What a search gives, with the query of what comes after it."""
    text = request.GET.get("q", "")
    offset = min(max(whole(request, "offset", int) or 0, 0), FURTHEST)
    hits = search(user_id, text, HITS + 1, offset) if text else []
    further = offset + HITS if len(hits) > HITS and offset + HITS <= FURTHEST else None
    return {"query": text, "found": hits[:HITS], "further": further}


def place(request: HttpRequest) -> tuple[datetime, UUID] | None:
    """The place in a list from which on it is asked for. Raises BadRequest."""
    if "at" not in request.GET:
        return None
    at, id = whole(request, "at", parse_datetime), whole(request, "id", UUID)
    if at is None or at.tzinfo is None or id is None:
        raise BadRequest("No such place.")
    return at, id


def whole(request: HttpRequest, name: str, kind: Any) -> Any:
    """A value of the query, or None where it is left out. Raises BadRequest where it is not of its kind."""
    if not (text := request.GET.get(name, "")):
        return None
    try:
        return kind(text[:100])
    except ValueError:
        raise BadRequest(f"{name} is not in order.") from None


@never_cache
@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """What a link shows to anybody; 404 where it was withdrawn or never was."""
    share = Share.objects.open().filter(token=token).select_related("conversation__owner").first()
    if share is None:
        raise Http404(_("There is no such link."))
    owner = share.conversation.owner
    name = (owner.get_full_name() or owner.get_username()) if share.with_name else ""
    messages = share.messages()
    history.fill(messages)
    said = [Message(id=m.pk, role=m.role, text=m.text, html=m.html) for m in messages]  # nothing of how it came about
    response = render(request, "chat/shared.html", {"share": share, "messages_shown": said, "name": name})
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response

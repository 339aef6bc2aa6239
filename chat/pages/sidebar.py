"""What the list of conversations shows: pinned ones, folders, then all others by their date in the reader's zone."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from urllib.parse import urlencode
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from chat.models import Conversation, ConversationQuerySet

LIST_PAGE_CONVERSATIONS = 100  # at a time
MAX_LISTED_CONVERSATIONS = 1000  # when a list that has grown is loaded again
MAX_PINNED_CONVERSATIONS = 100

LISTED_FIELDS = ("title", "updated_at", "pinned_at", "archived_at", "folder")


@dataclass(slots=True)
class SidebarGroup:
    """Conversations under one heading. Of a folder that is closed only how many there are is known."""

    key: str
    name: str
    conversations: list[Conversation] = field(default_factory=list)
    folder: bool = False
    count: int = 0


def list_groups(
    user_id: int, current: Conversation | None = None, listed: int = LIST_PAGE_CONVERSATIONS
) -> tuple[list[SidebarGroup], str]:
    """The beginning of a person's list, and the query of what comes after it. Two queries."""
    mine = Conversation.objects.for_user(user_id).only(*LISTED_FIELDS)
    open_folder = current.folder if current and not (current.pinned or current.archived) else ""
    dated = mine.outside_folders().newest_first()[: listed + 1]
    inside = mine.in_folder(open_folder).newest_first()[:LIST_PAGE_CONVERSATIONS] if open_folder else mine.none()
    rows = list(mine.pinned()[:MAX_PINNED_CONVERSATIONS].union(inside, dated, all=True))
    found = [SidebarGroup("pinned", _("Pinned"), sort_newest((one for one in rows if one.pinned_at), "pinned_at"))]
    for name, count in Conversation.objects.for_user(user_id).count_folders():
        filed = sort_newest(one for one in rows if one.folder == name and not one.pinned_at)
        found.append(SidebarGroup(f"folder {name}", name, filed, folder=True, count=count))
    page = sort_newest(one for one in rows if not (one.pinned_at or one.folder))
    found += group_by_date(page[:listed])
    return [group for group in found if group.conversations or group.folder], next_page_query(page, listed)


def sort_newest(conversations: Iterable[Conversation], by: str = "updated_at") -> list[Conversation]:
    return sorted(conversations, key=lambda one: (getattr(one, by), one.id), reverse=True)


def list_more(
    conversations: ConversationQuerySet, before: tuple[datetime, UUID] | None
) -> tuple[list[SidebarGroup], str]:
    """The next piece of a list by date, and the query of what comes after it. One query."""
    chosen = conversations.newest_first().only(*LISTED_FIELDS)
    page = list((chosen.older_than(*before) if before else chosen)[: LIST_PAGE_CONVERSATIONS + 1])
    return group_by_date(page[:LIST_PAGE_CONVERSATIONS]), next_page_query(page, LIST_PAGE_CONVERSATIONS)


def next_page_query(page: list[Conversation], listed: int) -> str:
    """The query that leads on from the last one listed; empty where it was the last of all."""
    if len(page) <= listed:
        return ""
    last = page[listed - 1]
    return urlencode({"at": last.updated_at.isoformat(), "id": last.id})


def group_by_date(conversations: Iterable[Conversation]) -> list[SidebarGroup]:
    today = timezone.localdate()
    dated = groupby(conversations, lambda one: heading_for(timezone.localtime(one.updated_at).date(), today))
    return [SidebarGroup(key, name, list(group)) for (key, name), group in dated]


def heading_for(day: date, today: date) -> tuple[str, str]:
    """The key and the name of the group for a day."""
    if day >= today:
        return "today", _("Today")
    if day == today - timedelta(days=1):
        return "yesterday", _("Yesterday")
    if day > today - timedelta(days=8):
        return "week", _("Previous 7 days")
    if day > today - timedelta(days=31):
        return "month", _("Previous 30 days")
    name = date_format(day, "YEAR_MONTH_FORMAT")
    return f"{day:%Y-%m}", name[:1].upper() + name[1:]

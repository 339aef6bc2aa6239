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

LISTED = 100  # at a time
MOST_LISTED = 1000  # when a list that has grown is loaded again
MOST_PINNED = 100

FIELDS = ("title", "updated_at", "pinned_at", "archived_at", "folder")


@dataclass(slots=True)
class Group:
    """Conversations under one heading. Of a folder that is closed only how many there are is known."""

    key: str
    name: str
    conversations: list[Conversation] = field(default_factory=list)
    folder: bool = False
    count: int = 0


def groups(user_id: int, current: Conversation | None = None, listed: int = LISTED) -> tuple[list[Group], str]:
    """The beginning of a person's list, and the query of what comes after it. Two queries."""
    mine = Conversation.objects.of(user_id).only(*FIELDS)
    open_folder = current.folder if current and not (current.pinned or current.archived) else ""
    dated = mine.dated().newest()[: listed + 1]
    inside = mine.inside(open_folder).newest()[:LISTED] if open_folder else mine.none()
    rows = list(mine.pinned()[:MOST_PINNED].union(inside, dated, all=True))
    found = [Group("pinned", _("Pinned"), newest((one for one in rows if one.pinned_at), "pinned_at"))]
    for name, count in Conversation.objects.of(user_id).folders():
        filed = newest(one for one in rows if one.folder == name and not one.pinned_at)
        found.append(Group(f"folder {name}", name, filed, folder=True, count=count))
    page = newest(one for one in rows if not (one.pinned_at or one.folder))
    found += by_date(page[:listed])
    return [group for group in found if group.conversations or group.folder], after(page, listed)


def newest(conversations: Iterable[Conversation], by: str = "updated_at") -> list[Conversation]:
    return sorted(conversations, key=lambda one: (getattr(one, by), one.id), reverse=True)


def more(conversations: ConversationQuerySet, before: tuple[datetime, UUID] | None) -> tuple[list[Group], str]:
    """The next piece of a list by date, and the query of what comes after it. One query."""
    chosen = conversations.newest().only(*FIELDS)
    page = list((chosen.before(*before) if before else chosen)[: LISTED + 1])
    return by_date(page[:LISTED]), after(page, LISTED)


def after(page: list[Conversation], listed: int) -> str:
    """The query that leads on from the last one listed; empty where it was the last of all."""
    if len(page) <= listed:
        return ""
    last = page[listed - 1]
    return urlencode({"at": last.updated_at.isoformat(), "id": last.id})


def by_date(conversations: Iterable[Conversation]) -> list[Group]:
    today = timezone.localdate()
    dated = groupby(conversations, lambda one: heading(timezone.localtime(one.updated_at).date(), today))
    return [Group(key, name, list(group)) for (key, name), group in dated]


def heading(day: date, today: date) -> tuple[str, str]:
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
